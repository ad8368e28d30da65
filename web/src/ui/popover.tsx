import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

interface Props {
  /** What stands on the button. */
  label: ComponentChildren;
  /** The button's name, if its label does not say it. */
  name?: string;
  class?: string;
  /** On which side of the button the panel's edge is. */
  align?: "left" | "right";
  /** The panel; close puts the focus back on the button. */
  children: (close: () => void) => ComponentChildren;
}

/** A button with a panel below it. Escape, a click elsewhere or leaving it closes it. */
export function Popover(p: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    if (!open) return;
    const put = () => button.current !== null && panel.current !== null && place(panel.current, button.current, p.align === "right");
    put();
    window.addEventListener("scroll", put, { capture: true, passive: true });
    window.addEventListener("resize", put);
    return () => {
      window.removeEventListener("scroll", put, { capture: true });
      window.removeEventListener("resize", put);
    };
  }, [open, p.align]);
  useEffect(() => {
    if (!open) return;
    const outside = (e: Event) => {
      if (e.target instanceof Node && root.current?.contains(e.target) === false) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
    };
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key !== "Escape" || !open) return;
    e.stopPropagation();
    close();
  };
  return (
    <div class={`popover ${p.class ?? ""}`} ref={root} onKeyDown={onKeyDown}>
      <button type="button" class="button" ref={button} aria-expanded={open} aria-controls={open ? id : undefined} aria-label={p.name} onClick={() => setOpen(!open)}>
        {p.label}
      </button>
      {open && (
        <div class="panel" id={id} ref={panel}>
          {p.children(close)}
        </div>
      )}
    </div>
  );
}

// Below the button, above it where there is more room, and within the window: a
// box that scrolls would cut a panel that stood in it. Phones have it at the
// bottom, which the style sheet says.
function place(panel: HTMLElement, button: HTMLElement, right: boolean): void {
  const b = button.getBoundingClientRect();
  const { innerWidth, innerHeight } = window;
  const [width, height] = [panel.offsetWidth, panel.offsetHeight];
  const left = right ? b.right - width : b.left;
  const below = innerHeight - b.bottom - 14;
  const top = height > below && b.top - 14 > below ? Math.max(8, b.top - 6 - height) : b.bottom + 6;
  panel.style.setProperty("--left", `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`);
  panel.style.setProperty("--top", `${top}px`);
}
