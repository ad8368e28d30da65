/**
 * Moves the focus between the filter and the rows' links with the arrow keys.
 * Rows that are not drawn yet are drawn once the focus scrolls towards them.
 */
export function moveFocus(e: KeyboardEvent): void {
  if (e.altKey || e.ctrlKey || e.metaKey || e.shiftKey || e.target instanceof HTMLSelectElement) return;
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  const stops = [...document.querySelectorAll<HTMLElement>("#filter, .list-name a, .group button")];
  const at = stops.findIndex((s) => s === document.activeElement);
  const next = stops[at + (e.key === "ArrowDown" ? 1 : -1)];
  if (at < 0 || next === undefined) return;
  e.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
