// Builds dist/esm and dist/cjs, each with its own types, from src.
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(join(root, 'dist'), {recursive: true, force: true});
for (const [kind, module, type] of [
  ['esm', 'ESNext', 'module'],
  ['cjs', 'CommonJS', 'commonjs'],
]) {
  const out = join(root, 'dist', kind);
  execFileSync(process.execPath, [tsc, '-p', root, '--module', module, '--outDir', out], {stdio: 'inherit'});
  mkdirSync(out, {recursive: true});
  // What the files are is said by the nearest package.json.
  writeFileSync(join(out, 'package.json'), JSON.stringify({type}) + '\n');
}
