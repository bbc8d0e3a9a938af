// The console's own behaviour, on every page: copying, live refresh that never jumps, tasks linked across views.
(function () {
  "use strict";

  // --- copy ------------------------------------------------------------------------------------------------
  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    // Plain http has no clipboard API: an operations network often is just that.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "dt-sr";
    document.body.appendChild(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    return Promise.resolve();
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    copy(button.dataset.copy).then(function () {
      const root = document.getElementById("dt-root");
      const word = root ? root.dataset.wordsCopied : "";
      button.classList.add("dt-copied");
      const old = button.title;
      button.title = word;
      setTimeout(function () { button.classList.remove("dt-copied"); button.title = old; }, 1500);
    });
  });

  // --- relative times --------------------------------------------------------------------------------------
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  function refreshTimes() {
    const format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "always", style: "short" });
    document.querySelectorAll("time[datetime] [data-ago]").forEach(function (hint) {
      const seconds = Math.trunc((new Date(hint.parentNode.dateTime) - Date.now()) / 1000);
      const unit = UNITS.find(function (entry) { return Math.abs(seconds) >= entry[1]; }) || UNITS[3];
      hint.textContent = format.format(Math.trunc(seconds / unit[1]), unit[0]);
    });
  }
  setInterval(function () { if (!document.hidden) refreshTimes(); }, 5000);

  // --- live refresh ----------------------------------------------------------------------------------------
  function isBusy(root) {
    // Somebody reads, types, selects or is about to act: what they look at must not move.
    const active = document.activeElement;
    if (active && root.contains(active) && active.matches("input, textarea, select, [contenteditable]")) return true;
    const selection = window.getSelection();
    if (selection && !selection.isCollapsed && root.contains(selection.anchorNode)) return true;
    return Boolean(root.querySelector("[data-hold][open], input[type=checkbox][name=chosen]:checked"));
  }

  document.addEventListener("htmx:beforeRequest", function (event) {
    const root = event.target.closest("[data-live], [data-live-list]");
    if (!root || root !== event.target) return;
    if (document.hidden || isBusy(root) || "ended" in root.dataset) event.preventDefault();
  });

  document.addEventListener("htmx:configRequest", function (event) {
    const root = event.target;
    if (!root.matches || !root.matches("[data-live]")) return;
    event.detail.parameters.rev = root.dataset.rev;
    const task = new URLSearchParams(location.search).get("task");
    if (task) event.detail.parameters.task = task;
    if (new URLSearchParams(location.search).has("graph")) event.detail.parameters.graph = "1";
  });

  // Only the sections that changed are replaced; open folds and scroll positions in them survive.
  function patch(root, html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const fresh = page.querySelector("[data-fragment]");
    if (!fresh || isBusy(root)) return;
    fresh.querySelectorAll("[id^='s-']").forEach(function (section) {
      const old = document.getElementById(section.id);
      const source = section.outerHTML.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "").replace(/<time[^>]*>.*?<\/time>/g, "");
      if (!old || sources[section.id] === source) return;
      sources[section.id] = source;
      const open = Array.from(old.querySelectorAll("details[id][open]")).map(function (fold) { return fold.id; });
      const loaded = {};
      open.forEach(function (id) { const body = document.getElementById(id).querySelector("[hx-get]"); if (body) loaded[id] = body.innerHTML; });
      const scrolls = Array.from(old.querySelectorAll("[tabindex]")).map(function (box) { return box.scrollTop; });
      old.replaceWith(document.importNode(section, true));
      const now = document.getElementById(section.id);
      open.forEach(function (id) {
        const fold = document.getElementById(id);
        if (!fold) return;
        fold.open = true;
        const body = fold.querySelector("[hx-get]");
        if (body && loaded[id]) body.innerHTML = loaded[id];
      });
      now.querySelectorAll("[tabindex]").forEach(function (box, index) { if (scrolls[index]) box.scrollTop = scrolls[index]; });
      window.htmx.process(now);
    });
    root.dataset.rev = fresh.dataset.rev;
    if ("ended" in fresh.dataset) root.dataset.ended = "";
    showTask(chosenTask());
    fitGraphs();
  }
  const sources = {};

  document.addEventListener("htmx:beforeSwap", function (event) {
    const root = event.target;
    if (!root.matches || !root.matches("[data-live]")) return;
    event.detail.shouldSwap = false;
    if (event.detail.xhr.status === 200) patch(root, event.detail.xhr.responseText);
  });

  // --- one task across graph, timeline, log and table ------------------------------------------------------
  function chosenTask() { return new URLSearchParams(location.search).get("task") || ""; }

  function taskOf(element) { return element.dataset.task || element.dataset.taskId || ""; }

  function showTask(task) {
    document.querySelectorAll(".dt-log [data-task]").forEach(function (row) { row.hidden = Boolean(task) && row.dataset.task !== task; });
    document.querySelectorAll("#s-tasks [data-task], .dt-lane[data-task], #s-graph [data-task-id]").forEach(function (row) {
      row.classList.toggle("dt-chosen", Boolean(task) && taskOf(row) === task);
    });
    const clear = document.querySelector("[data-task-clear]");
    if (clear) clear.hidden = !task;
  }

  document.addEventListener("click", function (event) {
    const link = event.target.closest("[data-task-link], .dt-graph a");
    if (!link || event.metaKey || event.ctrlKey) return;
    const href = (link.getAttribute("href") || link.getAttribute("xlink:href") || "");
    const task = "taskLink" in link.dataset ? link.dataset.taskLink : decodeURIComponent((href.match(/[?&]task=([^&#]*)/) || href.match(/#task-(.*)$/) || [])[1] || "");
    event.preventDefault();
    const url = new URL(location.href);
    if (task && task !== chosenTask()) url.searchParams.set("task", task); else url.searchParams.delete("task");
    url.hash = "";
    history.replaceState(null, "", url);
    showTask(chosenTask());
  });

  ["mouseover", "mouseout"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      const holder = event.target.closest && event.target.closest("[data-task], [data-task-id]");
      const task = holder && taskOf(holder);
      if (!task) return;
      document.querySelectorAll("[data-task], [data-task-id]").forEach(function (other) {
        if (taskOf(other) === task) other.classList.toggle("dt-hot", name === "mouseover");
      });
    });
  });

  // --- lists: choosing rows --------------------------------------------------------------------------------
  document.addEventListener("change", function (event) {
    const box = event.target;
    if (box.matches("[data-choose-all]")) {
      document.querySelectorAll("input[name=chosen]").forEach(function (one) { one.checked = box.checked; });
    }
    if (box.matches("[data-choose-all], input[name=chosen]")) {
      const count = document.querySelectorAll("input[name=chosen]:checked").length;
      document.querySelectorAll("[data-needs-choice]").forEach(function (button) { button.disabled = count === 0; });
      document.querySelectorAll("[data-choice-count]").forEach(function (place) { place.textContent = count || ""; });
    }
  });

  // --- folds that open over the page close on Escape and on a click elsewhere ------------------------------
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.dt-act[open]").forEach(function (fold) { fold.open = false; fold.querySelector("summary").focus(); });
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.dt-act[open]").forEach(function (fold) {
      const typed = Array.from(fold.querySelectorAll("input:not([type=hidden]), textarea")).some(function (field) { return field.value; });
      if (!fold.contains(event.target) && !typed) fold.open = false;
    });
  });

  // A form posted twice by a nervous double click would only be told that it lost to itself.
  document.addEventListener("submit", function (event) {
    const buttons = event.target.querySelectorAll("button[type=submit]");
    setTimeout(function () { buttons.forEach(function (button) { button.disabled = true; }); }, 0);
    setTimeout(function () { buttons.forEach(function (button) { button.disabled = false; }); }, 4000);
  });

  // A graph a little wider than its box is shrunk to it; a much wider one is scrolled, so that its words stay readable.
  function fitGraphs() {
    document.querySelectorAll(".dt-graph > svg").forEach(function (svg) {
      svg.classList.toggle("dt-fit", svg.viewBox.baseVal.width <= 1.45 * svg.parentNode.clientWidth);
    });
  }
  window.addEventListener("resize", fitGraphs);
  document.addEventListener("disttask:drawn", fitGraphs);

  document.addEventListener("DOMContentLoaded", function () {
    showTask(chosenTask());
    fitGraphs();
    document.querySelectorAll("[data-needs-choice]").forEach(function (button) { button.disabled = true; });
  });
})();
