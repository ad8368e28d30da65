/**
 * What may stand in narthex.yml, as far as a function reads it. docs/configuration.md has the whole; keys are
 * written as there. What is known only when a stack is deployed (queues, buckets) comes by the environment
 * instead, so that the file in the bundle is the same in each account.
 */
export interface Settings {
  scrape_interval?: string;
  external_labels?: Record<string, string>;
  ledger?: Record<string, string>;
  push?: Record<string, unknown>;
  limits?: Record<string, unknown>;
  histograms?: Record<string, string>;
  auth?: Record<string, unknown>;
  probes?: Record<string, unknown>;
  modules?: Record<string, unknown>;
  logs?: Record<string, unknown>[];
  lambda?: Record<string, unknown>;
  query?: Record<string, unknown>;
  viewer?: Record<string, unknown>;
}

/** merge lays over base what more has; mappings are merged, anything else is replaced. */
export function merge(base: Settings, more: Settings | undefined): Settings {
  const out: Record<string, unknown> = {...base};
  for (const [key, value] of Object.entries(more ?? {})) {
    const old = out[key];
    out[key] = isMapping(old) && isMapping(value) ? merge(old as Settings, value as Settings) : value;
  }
  return out as Settings;
}

function isMapping(v: unknown): boolean {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}
