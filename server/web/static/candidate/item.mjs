// One question and its answer: what a candidate sees in the exam and what a writer sees in the preview.
// `item` is an entry of a paper; `value` its answer; `answer(value)` is called when it changes; `live`: may be answered.
// Stem, options and material are HTML that the bank has made safe; nothing in it runs, loads or links.
import { useEffect, useRef, useState } from "preact/hooks";
import { Check, Cross, html } from "./words.mjs";

export const TYPES = { single: "type-single", multiple: "type-multiple", judge: "type-judge", fill: "type-fill", short: "type-short" };
export const HINTS = { judge: "keys-hint-judge", fill: "keys-hint-fill", short: "keys-hint-short" };
export const LONGEST_BLANK = 500, LONGEST_WORDS = 10000;
const WRITE_AFTER_MS = 500, WORDS_AFTER_MS = 1500;
const JUDGE = { T: html`<${Check}/>`, F: html`<${Cross}/>` };

// An entry of a paper with what its encoding leaves out.
export const whole = (item) => ({ options: [], blanks: 0, part: 0, parts: 0, material: "", ...item });

// The first entry of the case that an item belongs to, which carries the material; null for an item that stands alone.
export const caseOf = (items, item) => (item.part ? items.find((one) => one.number === item.number - item.part + 1) ?? null : null);

// The value after a choice of one option by mouse or key.
export const chosen = (item, value, label) => {
  if (item.type !== "multiple") return [label];
  return value.includes(label) ? value.filter((l) => l !== label) : [...value, label].sort();
};

// What the sub-items of a case share; it keeps its place on the screen while the candidate goes from one to the next.
export const Material = ({ first, item, say }) => html`<section class="material" tabindex="0" aria-label=${say("material-of", { first: first.number, last: first.number + item.parts - 1 })}>
  <h3>${say("material-of", { first: first.number, last: first.number + item.parts - 1 })}</h3><div class="stem" dangerouslySetInnerHTML=${{ __html: first.material }}></div></section>`;

export const Question = (p) => {
  const { item, value, say, live, answer } = p;
  const stem = html`<div class="stem" id="stem" dangerouslySetInnerHTML=${{ __html: item.stem }}></div>`;
  if (item.type === "fill") return html`${stem}<${Blanks} ...${p}/>`;
  if (item.type === "short") return html`${stem}<${Words} ...${p}/>`;
  const kind = item.type === "multiple" ? "checkbox" : "radio";
  return html`${stem}<fieldset class="options" aria-labelledby="stem" disabled=${!live}>
    ${item.type === "multiple" && html`<p class="hint">${say("choose-several")}</p>`}
    ${item.options.map((o) => html`<label key=${o.label} class=${value.includes(o.label) ? "opt on" : "opt"}>
      <input type=${kind} name=${`q${item.number}`} checked=${value.includes(o.label)} onChange=${() => answer(chosen(item, value, o.label))}/>
      <kbd class=${kind} aria-hidden="true">${item.type === "judge" ? JUDGE[o.label] ?? o.label : o.label}</kbd><span dangerouslySetInnerHTML=${{ __html: o.html }}></span></label>`)}</fieldset>`;
};

// Texts while they are typed. They go out a moment after the last stroke, at the latest when the field is left;
// never amid a composition: half a pinyin syllable is no answer.
const useTexts = ({ value, answer }, count, after, shape) => {
  const [texts, setTexts] = useState(() => Array.from({ length: count }, (_, i) => value[i] ?? ""));
  const latest = useRef(texts), timer = useRef(null), open = useRef(false), composing = useRef(false), send = useRef(answer);
  send.current = answer;
  const write = () => {
    clearTimeout(timer.current);
    if (!open.current || composing.current) return;
    open.current = false;
    send.current(latest.current.map(shape));
  };
  useEffect(() => () => { composing.current = false; write(); }, []);
  const change = (i, text) => {
    latest.current = latest.current.map((t, k) => (k === i ? text : t));
    setTexts(latest.current);
    open.current = true;
    clearTimeout(timer.current);
    if (!composing.current) timer.current = setTimeout(write, after);
  };
  const field = (i) => ({
    value: texts[i],
    onInput: (e) => change(i, e.target.value),
    onCompositionStart: () => { composing.current = true; clearTimeout(timer.current); },
    onCompositionEnd: (e) => { composing.current = false; change(i, e.target.value); },
    onBlur: () => { composing.current = false; write(); },
  });
  return { texts, field, write };
};

const Blanks = (p) => {
  const { item, say, live } = p;
  const { texts, field, write } = useTexts(p, item.blanks, WRITE_AFTER_MS, (t) => t.trim());
  return html`<div class="blanks">${texts.map((_, i) => html`<label key=${i}>${say("blank-number", { number: i + 1 })}<input type="text" ...${field(i)} maxlength=${LONGEST_BLANK} autocomplete="off" spellcheck=${false} disabled=${!live}
    onKeyDown=${(e) => e.key === "Enter" && !e.isComposing && write()}/></label>`)}</div>`;
};

const Words = (p) => {
  const { item, say, live } = p;
  const { texts, field } = useTexts(p, 1, WORDS_AFTER_MS, (t) => t.trimEnd());
  const count = [...texts[0]].length;
  return html`<div class="blanks words"><label>${say("words-label")}<textarea rows=${item.part ? 5 : 10} ...${field(0)} maxlength=${LONGEST_WORDS} autocomplete="off" spellcheck=${false} disabled=${!live} aria-describedby="words-count"></textarea></label>
    <p id="words-count" class="hint">${say("words-count", { count, most: LONGEST_WORDS })}</p></div>`;
};
