import { useEffect, useRef, useState } from "preact/hooks";
import { isAbort, messageOf } from "../api/client";
import { runProbe, type Report } from "../api/probes";
import { shownText } from "../format/text";
import { formatNumber, formatShort } from "../format/number";
import { stamp } from "../format/time";

/** Probes one target now, and shows what it found out, with its log. */
export function RunButton({ target, module, hostname, label }: { target: string; module: string; hostname: string; label: string }) {
  const [report, setReport] = useState<Report | undefined>();
  const [error, setError] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const run = () => {
    setBusy(true);
    setError(undefined);
    runProbe(target, module, hostname, abort.current.signal).then(
      (r) => {
        setReport(r);
        setBusy(false);
      },
      (e: unknown) => {
        if (isAbort(e)) return;
        setError(messageOf(e));
        setBusy(false);
      },
    );
  };
  return (
    <>
      <button type="button" class="button button-main" disabled={busy || target.trim() === ""} onClick={run}>
        {busy ? "Probing …" : label}
      </button>
      {error !== undefined && (
        <p class="notice notice-bad" role="alert">
          {shownText(error)}
        </p>
      )}
      {report !== undefined && error === undefined && <ReportView r={report} />}
    </>
  );
}

/** A form for any target. What may be probed is the server's to say. */
export function RunForm({ modules }: { modules: readonly string[] }) {
  const [target, setTarget] = useState("");
  const [module, setModule] = useState("http_2xx");
  return (
    <section class="block run-form" aria-labelledby="run-title">
      <h2 id="run-title">Probe something now</h2>
      <div class="run-fields">
        <label>
          <span>Target</span>
          <input type="text" value={target} placeholder="https://example.com" spellcheck={false} autocomplete="off" onInput={(e) => setTarget(e.currentTarget.value)} />
        </label>
        <label class="select">
          <span>Module</span>
          <select value={module} onChange={(e) => setModule(e.currentTarget.value)}>
            {modules.map((m) => (
              <option key={m}>{m}</option>
            ))}
          </select>
        </label>
        <RunButton key={`${target} ${module}`} target={target} module={module} hostname="" label="Probe" />
      </div>
    </section>
  );
}

/** What a probe found out. */
export function ReportView({ r }: { r: Report }) {
  const most = Math.max(...r.phases.map((p) => p.seconds), 1e-9);
  return (
    <div class="report" role="status">
      <p class={`verdict verdict-${r.success ? "up" : "down"}`}>
        <span class="word">
          <i aria-hidden="true">{r.success ? "●" : "▼"}</i> {r.success ? "up" : "down"}
        </span>{" "}
        <span class="dim">
          in {formatShort(r.seconds * 1000)} ms, {stamp(r.start)}
          {r.throttled && ", slowed down by the place it ran in"}
        </span>
      </p>
      {r.failure !== undefined && (
        <>
          <p class="reason">
            <b>
              {r.failure.phase}: {r.failure.reason}
            </b>{" "}
            {shownText(r.failure.error)}
          </p>
          <p>{shownText(r.failure.remedy)}</p>
        </>
      )}
      {r.phases.length > 0 && (
        <table class="phases" aria-label="Phases">
          <tbody>
            {r.phases.map((p) => (
              <tr key={p.phase}>
                <th scope="row">{p.phase}</th>
                <td class="num">{formatNumber(Math.round(p.seconds * 1e4) / 10)} ms</td>
                <td>
                  <meter min={0} max={most} value={p.seconds} aria-label={p.phase} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {r.certificate !== undefined && (
        <p class="dim">
          Certificate for {shownText(r.certificate.names || r.certificate.subject)}, by {shownText(r.certificate.issuer)}: {formatNumber(Math.floor(r.certificate.days))} days left
        </p>
      )}
      {r.log !== "" && (
        <details>
          <summary>The log</summary>
          <pre tabIndex={0}>{r.log.split("\n").map(shownText).join("\n")}</pre>
        </details>
      )}
    </div>
  );
}
