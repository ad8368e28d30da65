import { signal } from "@preact/signals";

/** The server's clock minus this browser's, in ms. Ages are told by the server's clock. */
let skew = 0;

/** Milliseconds since the epoch, moved on once a second while the page is seen. */
export const now = signal(Date.now());

/** The present, to the millisecond. */
export function present(): number {
  return Date.now() + skew;
}

/**
 * Learns the server's clock from the time at which it evaluated a query that
 * named none. Small differences are the network's and are ignored.
 */
export function observe(serverTime: number): void {
  const d = serverTime - Date.now();
  skew = Math.abs(d) > 2000 ? d : 0;
}

/** Starts the clock. */
export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = present();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) now.value = present();
  });
}
