/** What the marks of the lens mean, as they look in the chart. */
export function Key() {
  return (
    <ul class="key" aria-label="Marks">
      <li>
        <Glyph>
          <circle cx="8" cy="6" r="3.4" class="glyph-fill" />
        </Glyph>
        stored
      </li>
      <li>
        <Glyph>
          <path d="M0 6h16" class="glyph-line" />
          <path d="M8 1.5v9" class="glyph-bold" />
        </Glyph>
        drawn, fresh
      </li>
      <li>
        <Glyph>
          <path d="M0 0h16v12H0z" class="glyph-band" />
          <path d="M0 6h16" class="glyph-line" />
          <circle cx="8" cy="6" r="2.2" class="glyph-ring" />
        </Glyph>
        carried
      </li>
      <li>
        <Glyph>
          <path d="M4 2l8 8M12 2l-8 8" class="glyph-cross" />
        </Glyph>
        hidden
      </li>
    </ul>
  );
}

function Glyph({ children }: { children: preact.ComponentChildren }) {
  return (
    <svg viewBox="0 0 16 12" width="16" height="12" aria-hidden="true">
      {children}
    </svg>
  );
}
