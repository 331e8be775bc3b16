"use strict";
// Adds up what was typed about a lot and says at once how it compares with what was delivered. Nothing depends on it:
// the server checks the same when the step is sent.
(function () {
  var read = function (input) {
    var text = input.value.normalize("NFKC").trim();
    return /^\d{1,12}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  };
  var told = function (text, sum, shipped) {
    return text.replace("%sum%", String(sum)).replace("%shipped%", String(shipped));
  };
  // A box is left by pressing "Continue", too. A line that appears then would move the button from under the pointer,
  // and the press would be lost: what changed is shown when the button is up again.
  var pressed = false;
  var waiting = [];
  document.addEventListener("pointerdown", function () { pressed = true; }, true);
  ["pointerup", "pointercancel"].forEach(function (end) {
    document.addEventListener(end, function () {
      pressed = false;
      window.setTimeout(function () { waiting.splice(0).forEach(function (count) { count(); }); }, 0);
    }, true);
  });
  document.querySelectorAll("fieldset[data-shipped]").forEach(function (lot) {
    var output = lot.querySelector("output");
    var shipped = Number(lot.dataset.shipped);
    var counted = Number(lot.dataset.counted);
    var count = function () {
      var sum = 0;
      var touched = false;
      lot.querySelectorAll("input[data-counts]").forEach(function (input) {
        touched = touched || input.value !== "";
        // Units we have counted back already are not part of what was delivered.
        sum += input.dataset.counts === "returned" ? Math.max(read(input) - counted, 0) : read(input);
      });
      sum = Math.round(sum * 1e6) / 1e6;
      var kind = sum > shipped ? "more" : sum < shipped ? "less" : "all";
      output.textContent = touched ? told(lot.dataset[kind], sum, shipped) : "";
      output.className = touched && kind === "more" ? "sum error" : "sum";
    };
    // On leaving a box, not at every key: a screen reader would be talked over.
    lot.addEventListener("change", function () {
      if (pressed) {
        waiting.push(count);
      } else {
        count();
      }
    });
    count();
  });
})();
