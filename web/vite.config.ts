import { defineConfig } from "vite";

// The build is committed and embedded in the Go program; CI builds it again
// and fails on a difference. So nothing here may depend on the machine, the
// clock or the checkout's path.
export default defineConfig({
  base: "./", // relative addresses only: the viewer works below any path
  publicDir: false,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../viewer/dist",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // data: scripts and styles are not allowed by the CSP
    reportCompressedSize: false,
    chunkSizeWarningLimit: 250,
  },
  server: {
    // NARTHEX_URL is a running narthex (or any Prometheus) for `npm run dev`.
    proxy: { "/api": { target: process.env["NARTHEX_URL"] ?? "http://127.0.0.1:9091", changeOrigin: true } },
  },
});
