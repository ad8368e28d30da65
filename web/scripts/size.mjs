// Fails if the first load of the committed build is over its budget. The
// measure is what a browser fetches before it can show anything: the page and
// all that it names, each compressed by gzip -9 as the server does.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const KiB = 1024;
const budget = { first: 60 * KiB, all: 220 * KiB };
const dist = new URL("../../viewer/dist/", import.meta.url).pathname;
const index = readFileSync(join(dist, "index.html"), "utf8");

let first = 0;
let all = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const size = gzipSync(readFileSync(path), { level: 9 }).length;
  const early = entry.name === "index.html" || index.includes(entry.name);
  all += size;
  if (early) first += size;
  console.log(`${(size / KiB).toFixed(1).padStart(7)} KiB  ${early ? "first load" : "later     "}  ${path.slice(dist.length)}`);
}
console.log(`${(first / KiB).toFixed(1).padStart(7)} KiB  of ${budget.first / KiB} KiB in the first load`);
console.log(`${(all / KiB).toFixed(1).padStart(7)} KiB  of ${budget.all / KiB} KiB in all`);
if (first > budget.first || all > budget.all) {
  console.error("The build is over its budget: import what is not needed at once with import(), or do without.");
  process.exit(1);
}
