// Names that screen readers need and that the theme does not give.
document.addEventListener("DOMContentLoaded", () => {
  const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
  // A button's accessible name must contain the text that one sees on it.
  each(".search-button-field, .theme-switch-button", (button) => {
    const text = button.textContent.replace(/\s+/g, " ").trim();
    if (text) button.setAttribute("aria-label", text);
  });
  each("article summary[aria-label]", (summary) => summary.removeAttribute("aria-label"));
  // The arrow that opens a part of the table of contents is an icon alone.
  each(".bd-sidebar-primary details > summary", (summary) => {
    const link = summary.closest("li").querySelector("a");
    summary.setAttribute("aria-label", `Pages of: ${link.textContent.trim()}`);
  });
  // Every part of the page belongs to a landmark.
  each(".bd-sidebar-primary", (sidebar) => {
    if (sidebar.tagName !== "DIALOG") {
      sidebar.setAttribute("role", "complementary");
      sidebar.setAttribute("aria-label", "Sidebar");
    }
  });
  // What scrolls sideways can be scrolled with the keyboard, also once it is unfolded.
  const scrollable =
    "pre, mjx-container[display=true], .pst-scrollable-table-container, .cell_output .output, figure:not(.movable)";
  const reach = (box) => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  };
  const sizes = new ResizeObserver((changes) => changes.forEach((change) => reach(change.target)));
  const watch = () => each(scrollable, (box) => sizes.observe(box));
  watch();
  addEventListener("load", () => {
    each(scrollable, reach);
    window.MathJax?.startup?.promise?.then(watch);
  });
});
