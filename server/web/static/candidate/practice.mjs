// Before the bell: the real widgets on made-up questions, so that nobody meets them for the first time in the exam.
// Nothing leaves the machine and nothing is kept.
import { useState } from "preact/hooks";
import { HINTS, Question, TYPES, whole } from "./item.mjs";
import { html } from "./words.mjs";

const LABELS = { judge: ["T", "F"], single: ["A", "B", "C", "D"], multiple: ["A", "B", "C", "D"] };
const KINDS = ["single", "multiple", "judge", "fill", "short"];

const made = (say) => KINDS.map((type, i) => whole({
  number: i + 1, type, stem: say(`practice-${type}`), blanks: type === "fill" ? 2 : 0,
  options: (LABELS[type] ?? []).map((label) => ({ label, html: say(type === "judge" ? `practice-judge-${label}` : `practice-${type}-${label}`) })),
}));

export const Practice = ({ say, size }) => {
  const [at, setAt] = useState(0), [answers, setAnswers] = useState({});
  const items = made(say), item = items[at];
  return html`<section class=${`practice size-${size + 1}`} aria-labelledby="practice"><h2 id="practice">${say("practice-title")}</h2><p class="hint">${say("practice-lead")}</p>
    <div class="no"><b>${say("question-number", { number: item.number })}</b><span class="chip">${say(TYPES[item.type])}</span><span class="of">${say("questions-of", { count: items.length })}</span></div>
    <${Question} key=${item.number} item=${item} value=${answers[item.number] ?? []} answer=${(value) => setAnswers((before) => ({ ...before, [item.number]: value }))} say=${say} live=${true}/>
    <p class="itemstate" role="status">${(answers[item.number] ?? []).some(Boolean) ? say("practice-answered") : say("this-open")}</p>
    <div class="foot"><button disabled=${at === 0} onClick=${() => setAt(at - 1)}>${say("previous")}</button><span class="sp"></span><button class="primary" disabled=${at === items.length - 1} onClick=${() => setAt(at + 1)}>${say("next")}</button></div>
    <p class="hint">${say(HINTS[item.type] ?? "practice-keys")}</p></section>`;
};
