// The pages that are compared. All read one and the same store: that of a real
// narthex, whose API is put below each of them.
import { execFileSync, spawn } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";

const repository = new URL("../../", import.meta.url).pathname;
const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml" };
const running = [];

/** Ends what was started. */
export function stopAll() {
  for (const p of running) p.kill?.() ?? p.close();
}

async function free() {
  const s = createServer();
  await new Promise((r) => s.listen(0, "127.0.0.1", r));
  const { port } = s.address();
  await new Promise((r) => s.close(r));
  return port;
}

async function ready(url) {
  for (let i = 0; i < 300; i++) {
    if (await fetch(url).then((r) => r.ok, () => false)) return;
    await new Promise((r) => setTimeout(r, 100));
  }
  throw new Error(`${url} does not answer`);
}

/** Starts narthex over an empty store and returns its address. */
export async function narthex() {
  const dir = mkdtempSync(join(tmpdir(), "narthex-bench-"));
  const program = process.env["NARTHEX"] ?? join(dir, "narthex");
  if (program.startsWith(dir)) execFileSync("go", ["build", "-o", program, "./cmd/narthex"], { cwd: repository, stdio: "inherit" });
  const port = await free();
  const url = `http://127.0.0.1:${port}/`;
  running.push(spawn(program, ["serve", "--data", join(dir, "data"), "--listen", `127.0.0.1:${port}`], { stdio: "ignore" }));
  await ready(url + "-/ready");
  return url;
}

// A site whose API is narthex's.
async function site(api, rest) {
  const s = createServer((req, res) => {
    const path = req.url.replace(/^(\/select\/\d+)?\/prometheus(?=\/)/, "");
    if (path.startsWith("/api/")) forward(new URL(path, api), req, res);
    else rest(req, res);
  });
  running.push(s);
  await new Promise((r) => s.listen(0, "127.0.0.1", r));
  return `http://127.0.0.1:${s.address().port}/`;
}

function forward(to, req, res) {
  // Not as a page of another origin: that is what it is, and narthex would refuse it.
  const kept = Object.entries(req.headers).filter(([name]) => !/^(host|origin|referer|sec-fetch-.*)$/.test(name));
  const out = request(to, { method: req.method, headers: Object.fromEntries(kept) }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  out.on("error", () => res.destroy());
  req.pipe(out);
}

/** Prometheus's own page, as the installed program has it; undefined if there is none. */
export async function prometheusPage(api) {
  const port = await free();
  const own = `http://127.0.0.1:${port}/`;
  const p = spawn("prometheus", ["--config.file=/dev/null", `--storage.tsdb.path=${mkdtempSync(join(tmpdir(), "narthex-bench-"))}`, `--web.listen-address=127.0.0.1:${port}`], { stdio: "ignore" });
  const failed = new Promise((r) => p.on("error", () => r(true)));
  if (await Promise.race([failed, ready(own + "-/ready").then(() => false)])) return undefined;
  running.push(p);
  const classic = await fetch(own + "classic/graph").then((r) => r.ok, () => false);
  return classic ? site(api, (req, res) => forward(new URL(req.url, own), req, res)) : undefined;
}

/** vmui, as its Go module has it built; undefined if that can't be had. */
export async function vmui(api) {
  const module = "github.com/VictoriaMetrics/VictoriaMetrics@v1.110.0";
  let dir;
  try {
    dir = JSON.parse(execFileSync("go", ["mod", "download", "-json", module], { cwd: tmpdir(), stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 }))["Dir"];
  } catch {
    return undefined;
  }
  const folder = join(dir, "app/vmselect/vmui");
  if (!existsSync(folder)) return undefined;
  return site(api, (req, res) => {
    const path = new URL(req.url, "http://localhost").pathname.replace(/^\/vmui\//, "/");
    const file = join(folder, path === "/" ? "index.html" : path);
    if (!existsSync(file)) return res.writeHead(404).end();
    res.writeHead(200, { "Content-Type": kinds[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(res);
  });
}
