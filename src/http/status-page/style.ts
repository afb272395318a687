export const STYLE = `:root { --ground: #fff; --text: #1c2128; --faint: #59636e; --line: #d1d9e0; --ok: #1a7f37; --warn: #9a6700; --bad: #cf222e }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --text: #e6edf3; --faint: #9198a1; --line: #3d444d; --ok: #3fb950; --warn: #d29922; --bad: #f85149 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem }
h1 { margin: 0; font-size: 1.4rem }
h2 { margin: 1.5rem 0 .5rem; font-size: 1.1rem }
header p { margin: 0; color: var(--faint) }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-top: 1rem }
[hidden] { display: none }
input { flex: 1 1 14rem; min-width: 0 }
input, button { padding: .5rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--ground); color: var(--text); font: inherit }
#refusal { flex-basis: 100%; margin: 0; color: var(--bad) }
ul { margin: 0; padding: 0; list-style: none }
li { padding: .2rem 0; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .5rem; margin: 0 0 1rem }
dt { color: var(--faint); font-size: .85rem }
dd { margin: 0; font-size: 1.2rem; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left }
th { color: var(--faint); font-weight: 600 }
.ok { color: var(--ok) } .degraded { color: var(--warn) } .failing { color: var(--bad) }
progress { width: 100%; accent-color: var(--ok) }
`
