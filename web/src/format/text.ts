/**
 * A string from outside as it can be shown without playing tricks: control
 * characters have their pictures (U+2400 on), and what turns the direction of
 * writing, has no width or breaks the line is named by its number.
 */
export function shownText(s: string): string {
  return odd.test(s) ? s.replace(every, (c) => pictureOf(c.codePointAt(0) ?? 0)) : s;
}

// eslint-disable-next-line no-control-regex -- these are what is looked for
const odd = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]/u;
const every = new RegExp(odd.source, "gu");

function pictureOf(c: number): string {
  if (c < 0x20) return String.fromCharCode(0x2400 + c);
  return c === 0x7f ? "\u2421" : `‹U+${c.toString(16).toUpperCase().padStart(4, "0")}›`;
}
