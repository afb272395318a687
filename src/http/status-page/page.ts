export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sealgate</title>
<link rel="stylesheet" href="/status.css">
<script src="/status.js" defer></script>
</head>
<body>
<header><h1>Sealgate</h1><p id="state" role="status"></p></header>
<form id="login">
<label for="token">Token of the admin API</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" required autofocus>
<button>Show</button>
<p id="refusal" role="alert"></p>
</form>
<main id="shown" hidden>
<section aria-labelledby="health-title"><h2 id="health-title">Health</h2><ul id="health"></ul></section>
<section aria-labelledby="traffic-title"><h2 id="traffic-title">Traffic</h2><dl id="traffic"></dl>
<div class="wide"><table><thead><tr><th scope="col">Operation</th><th scope="col">Requests</th><th scope="col">A second</th><th scope="col">Errors</th></tr></thead><tbody id="operations"></tbody></table></div></section>
<section aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>
<div class="wide"><table><thead><tr><th scope="col">Manager</th><th scope="col">Type</th><th scope="col">Use</th><th scope="col">Health</th><th scope="col">Bucket keys</th></tr></thead><tbody id="keys"></tbody></table></div></section>
<section aria-labelledby="jobs-title"><h2 id="jobs-title">Rotation and jobs</h2><ul id="jobs"></ul></section>
</main>
<noscript>This page needs its script. <code>GET /readyz</code> and <code>GET /metrics</code> tell the same without it.</noscript>
</body>
</html>
`
