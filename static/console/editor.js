// The JSON editor: CodeMirror over a plain textarea, which stays the form's field and works without it.
(function () {
  "use strict";
  const CM = window.DisttaskCodeMirror;

  const style = CM && CM.HighlightStyle.define([
    { tag: CM.tags.propertyName, color: "var(--dt-run)" },
    { tag: CM.tags.string, color: "var(--dt-ok)" },
    { tag: [CM.tags.number, CM.tags.bool, CM.tags.null], color: "var(--dt-warn)" },
  ]);

  function upgrade(area, onChange) {
    const view = new CM.EditorView({
      parent: area.parentNode,
      state: CM.EditorState.create({
        doc: area.value,
        extensions: [
          CM.lineNumbers(), CM.foldGutter(), CM.history(), CM.drawSelection(), CM.indentOnInput(), CM.bracketMatching(),
          CM.closeBrackets(), CM.highlightActiveLine(), CM.highlightActiveLineGutter(), CM.highlightSelectionMatches(), CM.search(),
          CM.lintGutter(), CM.json(), CM.syntaxHighlighting(style), CM.indentUnit.of("  "),
          CM.EditorView.lineWrapping,
          CM.EditorView.contentAttributes.of({ "aria-label": (area.labels[0] && area.labels[0].textContent) || area.name }),
          CM.keymap.of([...CM.closeBracketsKeymap, ...CM.defaultKeymap, ...CM.searchKeymap, ...CM.historyKeymap, ...CM.foldKeymap, ...CM.lintKeymap]),
          CM.EditorView.updateListener.of(function (update) {
            if (!update.docChanged) return;
            area.value = update.state.doc.toString();
            if (onChange) onChange();
          }),
        ],
      }),
    });
    area.hidden = true;
    return view;
  }

  // The place that a list of keys and indexes leads to, as far as the text has it.
  function place(view, loc) {
    let node = CM.syntaxTree(view.state).topNode.firstChild;
    let found = node;
    for (const step of loc) {
      if (!node) break;
      let next = null;
      if (node.name === "Object") {
        for (let child = node.firstChild; child; child = child.nextSibling) {
          if (child.name !== "Property" || !child.firstChild) continue;
          const name = view.state.sliceDoc(child.firstChild.from, child.firstChild.to);
          if (name === JSON.stringify(String(step))) { found = child.firstChild; next = child.lastChild; }
        }
      } else if (node.name === "Array" && typeof step === "number") {
        let index = 0;
        for (let child = node.firstChild; child; child = child.nextSibling) {
          if (/^[\[\],]$/.test(child.name) || child.name === "⚠") continue;
          if (index === step) { found = child; next = child; break; }
          index += 1;
        }
      }
      if (!next) break;
      node = next;
    }
    if (!found) return { from: 0, to: 0 };
    // A whole object underlined says nothing: its first line does.
    const line = view.state.doc.lineAt(found.from);
    return { from: found.from, to: Math.min(found.to, line.to) };
  }

  function flowEditor(area, form) {
    const words = JSON.parse(document.getElementById("editor-words").textContent);
    const list = document.getElementById("editor-problems");
    const state = document.getElementById("editor-state");
    const graph = document.getElementById("editor-graph");
    let timer = 0;
    let turn = 0;
    const view = CM ? upgrade(area, function () { clearTimeout(timer); timer = setTimeout(check, 250); }) : null;
    if (!view) area.addEventListener("input", function () { clearTimeout(timer); timer = setTimeout(check, 250); });

    function jump(loc) {
      if (!view) { area.focus(); return; }
      const spot = place(view, loc);
      view.dispatch({ selection: { anchor: spot.from, head: spot.to }, effects: CM.EditorView.scrollIntoView(spot.from, { y: "center" }) });
      view.focus();
    }

    function show(report) {
      list.replaceChildren();
      const all = report.problems.map(function (entry) { return ["bad", "error", entry]; })
        .concat(report.warnings.map(function (entry) { return ["warn", "warning", entry]; }));
      all.forEach(function (item) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "dt-tone-" + item[0];
        const where = document.createElement("code");
        where.textContent = item[2].loc.join(".") || item[2].code;
        button.append(where, " " + item[2].message);
        button.addEventListener("click", function () { jump(item[2].loc); });
        const row = document.createElement("li");
        row.append(button);
        list.append(row);
      });
      state.textContent = all.length ? "" : words.ok;
      if (view) {
        view.dispatch(CM.setDiagnostics(view.state, all.map(function (item) {
          return Object.assign(place(view, item[2].loc), { severity: item[1], message: item[2].message });
        })));
      }
      if (report.svg) {
        const svg = new DOMParser().parseFromString(report.svg, "text/html").body.firstElementChild;
        graph.replaceChildren(...(svg ? [document.importNode(svg, true)] : []));
        document.dispatchEvent(new CustomEvent("disttask:drawn"));
      }
    }

    function check() {
      turn += 1;
      const mine = turn;
      state.textContent = words.checking;
      const body = new FormData();
      body.set("definition", area.value);
      body.set("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
      fetch(form.dataset.preview, { method: "POST", body: body, credentials: "same-origin" })
        .then(function (answer) { if (!answer.ok) throw new Error(answer.status); return answer.json(); })
        .then(function (report) { if (mine === turn) show(report); })
        .catch(function () { if (mine === turn) state.textContent = words.unreachable; });
    }

    // Leaving with unsaved text is asked about once.
    const first = area.value;
    let leaving = false;
    form.addEventListener("submit", function () { leaving = true; });
    window.addEventListener("beforeunload", function (event) { if (!leaving && area.value !== first) event.preventDefault(); });
    check();
  }

  let started = false;
  document.addEventListener("DOMContentLoaded", start);
  if (document.readyState !== "loading") start();
  function start() {
    if (started) return;
    started = true;
    document.querySelectorAll("textarea[data-editor]").forEach(function (area) {
      if (area.dataset.editor === "definition") flowEditor(area, area.form);
      else if (CM) upgrade(area, null);
    });
  }
})();
