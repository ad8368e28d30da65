/** What went wrong, in the server's words, and a way to go on. */
export function Failure(p: { title: string; text: string; retry: () => void; label?: string }) {
  return (
    <div class="notice notice-bad" role="alert">
      <strong>{p.title}</strong>
      <p>{p.text}</p>
      <button type="button" class="button" onClick={p.retry}>
        {p.label ?? "Try again"}
      </button>
    </div>
  );
}

/** Something is on its way. */
export function Loading({ what }: { what: string }) {
  return (
    <div class="loading" role="status">
      <span class="pulse" aria-hidden="true" />
      Loading {what} …
    </div>
  );
}
