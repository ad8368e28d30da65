import js from "@eslint/js";
import tseslint from "typescript-eslint";

// Metric names and label values are written by whoever pushes. They reach the
// page as text nodes and never as markup.
const markup = "Text only: strings from metrics and labels must never become markup.";
const sinks = ["innerHTML", "outerHTML", "srcdoc", "insertAdjacentHTML", "setHTMLUnsafe", "createContextualFragment", "parseFromString"];

export default tseslint.config(
  { ignores: ["node_modules/"] },
  js.configs.recommended,
  {
    files: ["{src,test}/**/*.{ts,tsx}"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: ["**/*.{mjs,js}"],
    languageOptions: {
      globals: Object.fromEntries(
        ["process", "console", "fetch", "URL", "URLSearchParams", "setTimeout", "document", "window", "AbortSignal", "location", "getComputedStyle", "innerWidth", "navigator", "performance", "requestAnimationFrame", "MouseEvent"].map((g) => [g, "readonly"]),
      ),
    },
  },
  {
    rules: {
      "no-restricted-properties": [
        "error",
        ...sinks.map((property) => ({ property, message: markup })),
        { object: "document", property: "write", message: markup },
        { object: "document", property: "writeln", message: markup },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: markup },
        { selector: "Property[key.name='dangerouslySetInnerHTML']", message: markup },
        { selector: "Literal[value='dangerouslySetInnerHTML']", message: markup },
        { selector: `JSXAttribute[name.name=/^(${sinks.join("|")})$/i]`, message: markup },
        { selector: "JSXAttribute[name.name='style'] > Literal", message: "The CSP forbids inline style: use a class, or an object." },
      ],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
    },
  },
);
