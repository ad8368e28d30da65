import { formatLabels } from "../promql";
import type { Listed } from "./data";

/** What one label does to a metric. */
export interface LabelStats {
  name: string;
  /** Its values by number of series, the most frequent first; "" is that of series without it. */
  values: readonly (readonly [value: string, series: number])[];
  /** How many series there would be without it. */
  without: number;
  /** Whether its values look like ids: as many as requests, users or days. */
  idLike: boolean;
}

/** What each label does, judged by the series that are listed. */
export function labelStats(series: readonly Listed[], names: readonly string[]): LabelStats[] {
  return names.map((name) => {
    const counts = new Map<string, number>();
    const rest = new Set<string>();
    for (const s of series) {
      const { [name]: own = "", ...others } = s.labels;
      counts.set(own, (counts.get(own) ?? 0) + 1);
      rest.add(formatLabels(others));
    }
    const values = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    return { name, values, without: rest.size, idLike: looksLikeIds([...counts.keys()]) };
  });
}

const patterns = [
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, // UUID
  /^[0-9a-f]{16,}$/i, // hash, trace
  /^\d{6,}$/, // number of something
  /^\d{4}-\d\d-\d\d/, // date
  /^[0-9A-HJKMNP-TV-Z]{26}$/, // ULID
  /[^@\s]+@[^@\s]+\.[a-z]+$/i, // mail address
];

/** Whether most of some values look like ids. Few values never do. */
export function looksLikeIds(values: readonly string[]): boolean {
  const some = values.filter((v) => v !== "").slice(0, 200);
  return some.length >= 5 && some.filter((v) => patterns.some((p) => p.test(v))).length > some.length / 2;
}
