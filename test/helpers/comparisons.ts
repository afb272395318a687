/** Comparisons that stop at the first difference, of values that are named like secrets: the rule behind test/constant-time.test.ts. */
import ts from 'typescript'

export interface Comparison {
  readonly line: number
  /** As it is written, in one line. */
  readonly text: string
}

/** Words of names. What is compared as text is hardly a MAC's tag, and a kid in hex is a name that everybody may know. */
const BYTES = [
  'signature',
  'mac',
  'hmac',
  'tag',
  'digest',
  'token',
  'secret',
  'commitment',
  'kid',
  'password',
  'passphrase',
  'pin',
]
const TEXTS = BYTES.filter((word) => word !== 'tag' && word !== 'kid')
const OPERATORS = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
])
const METHODS = new Set(['equals', 'compare', 'localeCompare', 'includes', 'startsWith', 'endsWith', 'indexOf'])
/** Steps behind a value that leave it what it is. */
const SPELLINGS = new Set(['toString', 'subarray', 'slice', 'digest', 'trim', 'toLowerCase', 'valueOf'])

/** All of them in one file of TypeScript. What compares with a constant or a literal learns nothing of a secret, and is none. */
export function earlyComparisons(name: string, source: string): Comparison[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true)
  const found: Comparison[] = []
  const visit = (node: ts.Node): void => {
    if (isEarly(node)) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart())
      found.push({ line: line + 1, text: node.getText().replaceAll(/\s+/g, ' ') })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function isEarly(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node) && OPERATORS.has(node.operatorToken.kind)) {
    const sides = [node.left, node.right]
    return sides.some((side) => isNamed(side, TEXTS)) && !sides.some(isConstant)
  }
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false
  const { expression: receiver, name } = node.expression
  if (!METHODS.has(name.text)) return false
  const isStatic = ts.isIdentifier(receiver) && receiver.text === 'Buffer'
  const sides = isStatic ? [...node.arguments] : [receiver, ...node.arguments.slice(0, 1)]
  // Lists and maps of names have these methods too: of texts the argument alone tells.
  const names = name.text === 'equals' || name.text === 'compare' ? sides : sides.slice(1)
  return names.some((side) => isNamed(side, BYTES)) && !sides.some(isConstant)
}

/** Literals, `undefined`, `typeof`, lengths, and NAMES_OF_CONSTANTS. */
function isConstant(node: ts.Expression): boolean {
  const bare = withoutMarks(node)
  if (ts.isLiteralExpression(bare) || ts.isTypeOfExpression(bare) || ts.isPrefixUnaryExpression(bare)) return true
  if ([ts.SyntaxKind.NullKeyword, ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword].includes(bare.kind))
    return true
  const last = ts.isPropertyAccessExpression(bare) ? bare.name.text : ts.isIdentifier(bare) ? bare.text : ''
  return last === 'undefined' || last === 'length' || /^[A-Z][A-Z0-9_]+$/.test(last)
}

function isNamed(node: ts.Expression, words: readonly string[]): boolean {
  const text = nameOf(node)
  return text
    .split(/(?=[A-Z])|[_\d#]+/)
    .map((word) => word.toLowerCase().replace(/s$/, ''))
    .some((word) => words.includes(word))
}

/** The last name of an expression: of `this.#held?.token` and of `tokenOf(x).toString('hex')` alike. */
function nameOf(node: ts.Expression): string {
  const bare = withoutMarks(node)
  if (ts.isIdentifier(bare) || ts.isPrivateIdentifier(bare)) return bare.text
  if (ts.isPropertyAccessExpression(bare)) return bare.name.text
  if (ts.isElementAccessExpression(bare)) {
    return ts.isStringLiteral(bare.argumentExpression) ? bare.argumentExpression.text : nameOf(bare.expression)
  }
  if (!ts.isCallExpression(bare)) return ''
  const { expression: called } = bare
  if (!ts.isPropertyAccessExpression(called)) return nameOf(called)
  if (called.name.text === 'digest') return 'digest'
  return SPELLINGS.has(called.name.text) ? nameOf(called.expression) : called.name.text
}

function withoutMarks(node: ts.Expression): ts.Expression {
  if (
    ts.isParenthesizedExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isAwaitExpression(node) ||
    ts.isAsExpression(node)
  )
    return withoutMarks(node.expression)
  return node
}
