import type { Signal } from "@preact/signals";
import { server } from "../api/server";
import { helpShown } from "../keys";
import { look, zone } from "../prefs";
import { Popover } from "./popover";

/** Whose clock, which colours, which keys. */
export function Settings() {
  return (
    <Popover label={<Gear />} name="Settings" align="right" class="settings">
      {(close) => (
        <>
          <Choice name="Times" value={zone} of={[["local", "here"], ["utc", "UTC"]]} />
          <Choice name="Colours" value={look} of={[["auto", "as the system"], ["light", "light"], ["dark", "dark"]]} />
          <button
            type="button"
            class="button"
            onClick={() => {
              close();
              helpShown.value = true;
            }}
          >
            Keys <kbd>?</kbd>
          </button>
          {server.value.version !== "" && <p class="dim">narthex {server.value.version}</p>}
        </>
      )}
    </Popover>
  );
}

function Choice<T extends string>({ name, value, of }: { name: string; value: Signal<T>; of: readonly (readonly [T, string])[] }) {
  return (
    <fieldset>
      <legend>{name}</legend>
      {of.map(([v, label]) => (
        <label key={v} class="check">
          <input type="radio" name={name} checked={value.value === v} onChange={() => (value.value = v)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Gear() {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" aria-hidden="true">
      <path d="M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6" />
      <circle cx="10" cy="4.5" r="1.9" />
      <circle cx="6" cy="11.5" r="1.9" />
    </svg>
  );
}
