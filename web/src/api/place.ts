/** Where the page is: its own folder, and narthex's, which is above /backends/<name>/. Both end in a slash. */
export interface Place {
  here: string;
  root: string;
  /** The backend that the address names; "" for the first one. */
  backend: string;
}

/** Reads an address of the page. */
export function placeOf(address: string): Place {
  const here = new URL(".", address);
  here.search = here.hash = "";
  const named = /^(.*\/)backends\/([^/]+)\/$/.exec(here.pathname);
  if (named?.[1] === undefined || named[2] === undefined) return { here: here.href, root: here.href, backend: "" };
  return { here: here.href, root: new URL(named[1], here).href, backend: decodeURIComponent(named[2]) };
}

/** Where the page is now. */
export const place = () => placeOf(document.baseURI);
