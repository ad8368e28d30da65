import * as fs from 'node:fs';
import * as path from 'node:path';
import {type Template} from './synth.ts';

/**
 * summary tells what a template is for a person who reads a difference: each resource with what matters of it, in the
 * order of their names, without hashes.
 */
export function summary(t: Template, dir: string): string {
  const name = (id: string) => id.replace(/[0-9A-F]{8}$/, '');
  const blocks = Object.entries(t.Resources).map(([id, r]) => {
    const p = plain(r.Properties ?? {}, name) as Record<string, any>;
    const lines = [`${name(id)}: ${r.Type}${r.DeletionPolicy ? ` (${r.DeletionPolicy})` : ''}`];
    const asset = (p['Code'] ?? p['Content'])?.S3Key as string | undefined;
    delete p['Code'];
    delete p['Content'];
    lines.push(...Object.entries(p).flatMap(([k, v]) => property(k, v)));
    const file = asset && path.join(dir, `asset.${asset.replace(/\.zip$/, '')}`, 'narthex.yml');
    if (file && fs.existsSync(file)) {
      const settings = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
      lines.push(...Object.entries(settings).flatMap(([k, v]) => property(`narthex.yml ${k}`, v)));
    }
    return lines.join('\n  ');
  });
  return blocks.sort().join('\n\n') + '\n';
}

function property(name: string, v: unknown): string[] {
  const statements = (v as any)?.Statement;
  if (Array.isArray(statements)) {
    return statements.map((s) => {
      const {Effect, Action, Resource, Condition, Principal} = s;
      const who = Principal ? ` ${JSON.stringify(Principal)}` : '';
      return `${Effect}${who} ${[Action].flat().join(', ')} on ${JSON.stringify(Resource)}${Condition ? ` if ${JSON.stringify(Condition)}` : ''}`;
    });
  }
  if (name === 'Variables' || name === 'Environment') {
    return Object.entries((v as any).Variables ?? v).map(([k, x]) => `${k}=${x as string}`);
  }
  return [`${name}: ${typeof v === 'string' ? v : JSON.stringify(v)}`];
}

/** plain replaces CloudFormation's functions by texts. */
function plain(v: unknown, name: (id: string) => string): unknown {
  if (Array.isArray(v)) return v.map((x) => plain(x, name));
  if (typeof v !== 'object' || v === null) return v;
  const o = v as Record<string, any>;
  const keys = Object.keys(o);
  if (keys.length === 1) {
    const of = o[keys[0]!];
    switch (keys[0]) {
      case 'Ref':
        return `<${name(of as string)}>`;
      case 'Fn::GetAtt':
        return `<${name(of[0] as string)}.${(of.slice(1) as string[]).join('.')}>`;
      case 'Fn::Join':
        return (of[1] as unknown[]).map((x) => plain(x, name)).join(of[0] as string);
      case 'Fn::Sub':
        return typeof of === 'string' ? of : JSON.stringify(of);
    }
  }
  return Object.fromEntries(keys.map((k) => [k, plain(o[k], name)]));
}
