import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { messageOf } from "../api/client";
import { Failure, Loading } from "./state";

/** A screen whose code is fetched when it is first looked at. */
export function lazy<P extends object>(fetch: () => Promise<ComponentType<P>>): ComponentType<P> & { prefetch: () => void } {
  let got: ComponentType<P> | undefined;
  const load = async () => (got ??= await fetch());
  function Lazy(props: P) {
    const [error, setError] = useState<string | undefined>();
    const [, setLoaded] = useState(got !== undefined);
    useEffect(() => {
      if (got === undefined) load().then(() => setLoaded(true), (e: unknown) => setError(messageOf(e)));
    }, []);
    const Screen = got;
    if (Screen !== undefined) return <Screen {...props} />;
    if (error === undefined) return <Loading what="the screen" />;
    return <Failure title="This part of the page can’t be loaded" text={`${error}. narthex may have been updated since: load the page again.`} retry={() => location.reload()} />;
  }
  return Object.assign(Lazy, { prefetch: () => void load().catch(() => undefined) });
}
