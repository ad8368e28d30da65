/** Tries one step after the other, says what holds, and returns how many do not. */
export async function run(ctx, steps) {
  let failed = 0;
  for (const [what, step] of steps) {
    const start = Date.now();
    try {
      await step(ctx);
      ctx.checkQuiet();
      console.log(`ok    ${what} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
    } catch (e) {
      failed++;
      await ctx.shot(`failed-${failed}`).catch(() => undefined);
      console.error(`FAIL  ${what}\n      ${String(e.message).replaceAll("\n", "\n      ")}`);
      ctx.forget();
    }
  }
  return failed;
}
