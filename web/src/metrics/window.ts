import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

/** The rows to draw of a long list: from first up to, not including, end. */
export interface Window {
  first: number;
  end: number;
}

const overscan = 6;

/** The rows that a viewport of the height shows, given how far the list's top is above it. */
export function windowOf(scrolled: number, height: number, row: number, total: number): Window {
  const first = Math.min(Math.max(0, Math.floor(scrolled / row) - overscan), Math.max(0, total - 1));
  const end = Math.min(total, Math.ceil((scrolled + height) / row) + overscan);
  return { first, end: Math.max(end, Math.min(total, first + 1)) };
}

/** Follows the page's scrolling; list is the element that has all the rows' height. */
export function useWindow(list: RefObject<HTMLElement | null>, row: number, total: number): Window {
  const [w, setWindow] = useState<Window>(() => windowOf(0, window.innerHeight, row, total));
  useLayoutEffect(() => {
    const measure = () => {
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const next = windowOf(Math.max(0, -top), window.innerHeight, row, total);
      setWindow((old) => (old.first === next.first && old.end === next.end ? old : next));
    };
    measure();
    window.addEventListener("scroll", measure, { passive: true });
    window.addEventListener("resize", measure);
    return () => {
      window.removeEventListener("scroll", measure);
      window.removeEventListener("resize", measure);
    };
  }, [row, total]);
  return w;
}
