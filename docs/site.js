// After the theme's own script, which takes the keyboard's focus away from code.
addEventListener("load", () => {
  // Long lines of code are scrolled with the keyboard, too (WCAG 2.2, 2.1.1).
  for (const code of document.querySelectorAll("pre code")) code.tabIndex = 0;
  // A dialog has a name (WCAG 2.2, 4.1.2).
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
});
