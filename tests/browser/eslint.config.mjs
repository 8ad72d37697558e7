// The scripts of pages: each is put into the page as it is, and knows those before it.
export default [
  {
    ignores: ["**/d3.min.js"],
  },
  {
    files: ["**/*.js"],
    languageOptions: {
      ecmaVersion: 2023,
      sourceType: "script",
      globals: Object.fromEntries(
        [
          "d3", "chart", "linear", "descent", "rates", "plane", "terminal", "program", "rowProgram", "rowSides", "limits", "rules",
          "document", "window", "navigator", "location", "history", "URL", "URLSearchParams", "Blob", "Path2D", "Option",
          "getComputedStyle", "getSelection", "parseFloat", "setTimeout", "clearTimeout", "setInterval", "clearInterval",
          "requestAnimationFrame",
        ].map((name) => [name, "readonly"]),
      ),
    },
    rules: {
      "no-undef": "error", "no-unused-vars": ["error", { varsIgnorePattern: "^(chart|linear|descent|rates|plane|terminal)$" }],
      "no-shadow": ["error", { builtinGlobals: false }], "prefer-const": "error", "no-var": "error", eqeqeq: "error",
      "no-implicit-globals": "off", "no-redeclare": ["error", { builtinGlobals: false }], "no-unreachable": "error",
      "no-fallthrough": "error", "no-cond-assign": "error", "no-dupe-keys": "error", "no-eval": "error",
      "no-new-func": "error", "no-implied-eval": "error", "consistent-return": "error", "no-self-compare": "error",
      "max-lines": ["error", 590], complexity: ["error", 22],
    },
  },
];
