// After the theme's own script, which takes the keyboard's focus away from code.
addEventListener("load", () => {
  // Long lines of code and wide tables are scrolled with the keyboard, too (WCAG 2.2, 2.1.1).
  for (const wide of document.querySelectorAll("pre code, .md-typeset__scrollwrap")) wide.tabIndex = 0;
  // A dialog has a name (WCAG 2.2, 4.1.2).
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
});
