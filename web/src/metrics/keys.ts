/**
 * Moves the focus between the filter and the rows' links with the arrow keys.
 * Rows that are not drawn yet are drawn once the focus scrolls towards them.
 */
export function moveFocus(e: KeyboardEvent): void {
  if (e.altKey || e.ctrlKey || e.metaKey || e.shiftKey) return;
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  const stops = [...document.querySelectorAll<HTMLElement>("#filter, .list-name a")];
  const at = stops.findIndex((s) => s === document.activeElement);
  const next = stops[at + (e.key === "ArrowDown" ? 1 : -1)];
  if (at < 0 || next === undefined) return;
  e.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

/** Lets "/" put the cursor into the filter, from anywhere but another field. */
export function slashFocuses(e: KeyboardEvent): void {
  const t = e.target;
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || t instanceof HTMLInputElement || t instanceof HTMLSelectElement) return;
  const field = document.querySelector<HTMLInputElement>("#filter");
  if (field === null) return;
  e.preventDefault();
  field.select();
}
