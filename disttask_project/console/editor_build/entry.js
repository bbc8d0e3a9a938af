import {EditorState, Compartment} from "@codemirror/state";
import {EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, drawSelection} from "@codemirror/view";
import {defaultKeymap, history, historyKeymap, indentWithTab} from "@codemirror/commands";
import {foldGutter, foldKeymap, indentOnInput, bracketMatching, syntaxHighlighting, HighlightStyle, syntaxTree, indentUnit} from "@codemirror/language";
import {json} from "@codemirror/lang-json";
import {lintGutter, setDiagnostics, lintKeymap} from "@codemirror/lint";
import {search, searchKeymap, highlightSelectionMatches} from "@codemirror/search";
import {autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap} from "@codemirror/autocomplete";
import {MergeView, unifiedMergeView} from "@codemirror/merge";
import {tags} from "@lezer/highlight";
window.DisttaskCodeMirror = {EditorState, Compartment, EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, drawSelection,
  defaultKeymap, history, historyKeymap, indentWithTab, foldGutter, foldKeymap, indentOnInput, bracketMatching, syntaxHighlighting, HighlightStyle, syntaxTree, indentUnit,
  json, lintGutter, setDiagnostics, lintKeymap, search, searchKeymap, highlightSelectionMatches, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, MergeView, unifiedMergeView, tags};
