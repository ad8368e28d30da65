import { formatNumber } from "../format/number";
import { shownText } from "../format/text";
import type { Matcher } from "../promql";
import { Popover } from "../ui/popover";
import type { LabelStats } from "./labels";

interface Props {
  label: LabelStats;
  total: number;
  grouped: boolean;
  group: () => void;
  hide: () => void;
  pick: (m: Matcher) => void;
}

const most = 12;

/** What can be done with a label: group by it, pick one of its values, leave its column out. */
export function LabelMenu({ label: l, total, grouped, group, hide, pick }: Props) {
  const saved = total - l.without;
  return (
    <Popover
      class="label-menu"
      label={
        <>
          {shownText(l.name)} <span class="dim">{formatNumber(l.values.length)}</span>
          <span class="sr"> {l.values.length === 1 ? "value" : "values"}</span>
          {l.idLike && <span class="badge badge-warn">ids</span>}
        </>
      }
    >
      {(close) => {
        const then = (f: () => void) => () => {
          close();
          f();
        };
        return (
          <>
            <div class="row">
              <button type="button" class="button" onClick={then(group)}>
                {grouped ? "No longer group by it" : "Group by it"}
              </button>
              <button type="button" class="button" onClick={then(hide)}>
                Hide the column
              </button>
            </div>
            <ul>
              {l.values.slice(0, most).map(([value, n]) => (
                <li key={value}>
                  <button type="button" class="value" title={`Only ${l.name} = ${shownText(value)}`} onClick={then(() => pick({ label: l.name, not: false, value }))}>
                    {value === "" ? <em>without it</em> : shownText(value)}
                  </button>
                  <span class="dim">{formatNumber(n)}</span>
                  <button type="button" class="not" aria-label={`All but ${l.name} = ${shownText(value)}`} title="All but this" onClick={then(() => pick({ label: l.name, not: true, value }))}>
                    ≠
                  </button>
                </li>
              ))}
            </ul>
            {l.values.length > most && <p class="dim">and {formatNumber(l.values.length - most)} more</p>}
            {saved > 0 && (
              <p class="dim">
                Without this label there would be {formatNumber(l.without)} series instead of {formatNumber(total)}: {Math.round((saved / total) * 100)} % less to pay for.
              </p>
            )}
            {l.idLike && <p class="warn">The values look like ids. Each new one begins a new series, for ever: put such things into logs.</p>}
          </>
        );
      }}
    </Popover>
  );
}
