/** Where an error is in an expression: from and to, in characters. */
export type Span = readonly [from: number, to: number];

/**
 * Finds the place that the parser's error names: "… 1:5: parse error: …", a line
 * and a column of it, both from 1 on. The word there is underlined. The second
 * is the message without the place.
 */
export function errorPlace(query: string, message: string): { at: Span | undefined; text: string } {
  const m = /(\d+):(\d+): (?:parse error: )?([^]*)$/.exec(message);
  if (m === null) return { at: undefined, text: message };
  const lines = query.split("\n");
  const line = Number(m[1]) - 1;
  const from = lines.slice(0, line).reduce((n, l) => n + l.length + 1, 0) + Number(m[2]) - 1;
  if (line >= lines.length || from > query.length) return { at: undefined, text: message };
  const word = /^(?:[\w:.]+|\s*\S)/.exec(query.slice(from))?.[0] ?? " ";
  return { at: [from, from + word.length], text: m[3] ?? message };
}
