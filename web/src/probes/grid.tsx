import { now } from "../clock";
import { formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatAge, span, utc } from "../format/time";
import { hashOf } from "../router";
import { slotsOf, type Cell, type Row } from "./matrix";
import { uptimes } from "./model";

const maxRegions = 20;

/** Targets by regions. */
export function Grid({ rows }: { rows: readonly Row[] }) {
  const regions = [...new Set(rows.flatMap((r) => r.cells.map((c) => c.region)))].sort().slice(0, maxRegions);
  const slots = regions.length > 4 ? 12 : 24;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Targets by region">
      <table class="probes">
        <thead>
          <tr>
            <th scope="col">Target</th>
            {regions.map((r) => (
              <th scope="col" key={r}>{r === "" ? "Last verdict" : shownText(r)}</th>
            ))}
            {uptimes.map((w) => (
              <th scope="col" class="num" key={w}>Up, {w === "1d" ? "24 h" : w.replace("d", " d")}</th>
            ))}
            <th scope="col" class="num">Certificate</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={r.name}>
              <th scope="row">
                <a href={hashOf("probes", r.name)}>{shownText(r.name)}</a>
                {r.target !== r.name && <span class="dim target">{shownText(r.target)}</span>}
              </th>
              {regions.map((region) => (
                <td key={region}>
                  <Verdict c={r.cells.find((c) => c.region === region)} slots={slots} />
                </td>
              ))}
              {uptimes.map((w) => (
                <td class="num" key={w}>
                  <Uptime share={r.uptime.get(w)} />
                </td>
              ))}
              <td class="num">
                <Expiry r={r} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What a cell says in a word, and its last runs. */
export function Verdict({ c, slots }: { c: Cell | undefined; slots: number }) {
  if (c === undefined) return <span class="dim">not from here</span>;
  return (
    <div class={`verdict verdict-${c.state}`}>
      <span class="word">
        <i aria-hidden="true">{{ up: "●", down: "▼", late: "○" }[c.state]}</i>{" "}
        {c.state === "up" && <>up <span class="dim">{c.seconds !== undefined && (c.seconds < 0.001 ? "< 1 ms" : span(c.seconds * 1000))}</span></>}
        {c.state === "down" && <>down <span class="why">{c.reason === "" ? "" : `${c.phase}: ${c.reason}`}</span></>}
        {c.state === "late" && <>did not run <span class="dim">{c.last === 0 ? "for 2 h" : `for ${span(now.value - c.last)}`}</span></>}
      </span>
      <Strip c={c} slots={slots} />
    </div>
  );
}

function Strip({ c, slots }: { c: Cell; slots: number }) {
  const list = slotsOf(c, slots, now.value);
  const w = 5;
  return (
    <svg class="strip" viewBox={`0 0 ${slots * w} 12`} width={slots * w} height={12} aria-hidden="true">
      {list.map((s, i) => {
        const x = i * w;
        if (s === undefined) return <path key={i} class="slot-none" d={`M${x + 0.5} 11.5h${w - 2}`} />;
        return s.v === 0 ? <path key={i} class="slot-down" d={`M${x} 0h${w - 1}v12h${1 - w}z`} /> : <path key={i} class="slot-up" d={`M${x} 3h${w - 1}v9h${1 - w}z`} />;
      })}
    </svg>
  );
}

/** A share in percent; only what is whole is said to be. */
export function Uptime({ share }: { share: number | undefined }) {
  if (share === undefined) return <span class="dim">–</span>;
  const percent = share * 100;
  const text = percent === 100 ? "100 %" : `${formatNumber(Math.min(99.99, Math.floor(percent * 100) / 100))} %`;
  return <span class={share < 0.99 ? "failed" : undefined}>{text}</span>;
}

function Expiry({ r }: { r: Row }) {
  if (r.expires === undefined) return <span class="dim">–</span>;
  const days = Math.floor((r.expires - now.value) / 86_400_000);
  return (
    <span class={days < 3 ? "failed" : days < 14 ? "warn" : undefined} title={`${utc(r.expires)} UTC${r.differ ? "; regions are shown different certificates" : ""}`}>
      {r.expires < now.value ? `expired ${formatAge(r.expires, now.value)}` : `${formatNumber(days)} d`}
      {r.differ && <span class="badge badge-warn">differ</span>}
    </span>
  );
}
