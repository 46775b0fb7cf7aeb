// The editor of one item: what is typed on the left, on the right the candidate's own rendering of it.
import { createContext, h, render } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import htm from "htm";
import { Material, Question, caseOf, whole } from "/static/candidate/item.mjs";
import { ask, send } from "/static/desk/asking.mjs";

const html = htm.bind(h);
const PREVIEW_AFTER_MS = 400;
const TYPES = ["single", "multiple", "judge", "fill", "short", "case"];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const root = document.getElementById("editor");
const words = JSON.parse(root.dataset.words);
const given = JSON.parse(root.dataset.item);
const say = (code, facts = {}) => (words[code] ?? code).replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");

const EMPTY = { type: "single", stem: "", options: ["", "", "", ""], key: [], accepted: [], score: 1, explanation: "", policy: null, model: "", rubric: [] };
const full = (one) => ({ ...EMPTY, options: [], ...one });
const blanks = (stem) => (stem.match(/\[\[\s*\d*\s*\]\]/g) ?? []).length;
const number = (text) => { const n = Number(text); return text === "" || Number.isNaN(n) ? 0 : n; };

// A picture held in a text is a long line of letters: while it is edited a mark stands for it, its HTML on the shelf.
const PICTURE = /<img\b[^<>]*?\ssrc="data:[^"]*"[^<>]*>/g;
const MARK = new RegExp(say("desk-picture-mark", { number: "#" }).replace(/[[\]]/g, "\\$&").replace("#", "(\\d+)"), "g");
const Shelf = createContext(null);
const imageOf = (source) => { const held = document.createElement("template"); held.innerHTML = source; return held.content.firstElementChild; };
const described = (source, alt) => { const image = imageOf(source); image.setAttribute("alt", alt); return image.outerHTML; };
// Every text of an item through `change`.
const throughout = (one, change) => ({
  ...one, stem: change(one.stem), options: one.options.map(change), explanation: change(one.explanation), model: change(one.model),
  rubric: one.rubric.map((r) => ({ ...r, text: change(r.text) })), ...(one.parts ? { parts: one.parts.map((part) => throughout(part, change)) } : {}),
});
const folded = (one, shelf) => throughout(one, (text) => text.replace(PICTURE, (source) => say("desk-picture-mark", { number: shelf.push(source) })));
const unfolded = (one, shelf) => throughout(one, (text) => text.replace(MARK, (mark, number) => shelf[number - 1] ?? mark));
const marked = (one) => { const found = new Set(); throughout(one, (text) => { for (const mark of text.matchAll(MARK)) found.add(Number(mark[1])); return text; }); return [...found].sort((a, b) => a - b); };

// What the form sends: only what belongs to the type.
const question = (one) => ({
  type: one.type, stem: one.stem, score: number(one.score), explanation: one.explanation,
  options: ["single", "multiple"].includes(one.type) ? one.options : [],
  key: ["single", "multiple", "judge"].includes(one.type) ? one.key : [],
  accepted: one.type === "fill" ? Array.from({ length: blanks(one.stem) }, (_, i) => (one.accepted[i] ?? []).map((t) => t.trim()).filter(Boolean)) : [],
  policy: ["multiple", "fill"].includes(one.type) ? one.policy : null,
  model: one.type === "short" ? one.model : "",
  rubric: one.type === "short" ? one.rubric.map((r) => ({ text: r.text, score: number(r.score) })) : [],
});
const body = (one) => ({
  ...question(one), label: one.label, point: one.point, difficulty: number(one.difficulty),
  parts: one.type === "case" ? one.parts.map(question) : [],
});

// A text that pictures can be put into: from a file, or pasted where the cursor is.
const Area = ({ value, change, rows, name, label, hint }) => {
  const { take, busy } = useContext(Shelf);
  const area = useRef(), chosen = useRef(), latest = useRef(change);
  latest.current = change;
  const insert = async (file) => {
    const mark = file && (await take(file));
    if (!mark || !area.current) return;
    const { value: text, selectionEnd: at } = area.current;
    latest.current(`${text.slice(0, at)}${mark}${text.slice(at)}`);
  };
  const paste = (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (!file || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    insert(file);
  };
  const typed = html`<textarea ref=${area} rows=${rows} value=${value} aria-label=${name} onPaste=${paste} onInput=${(e) => change(e.target.value)}></textarea>`;
  const add = html`<input ref=${chosen} type="file" hidden accept="image/png,image/jpeg,image/gif,image/webp" onChange=${(e) => { insert(e.target.files[0]); e.target.value = ""; }}/>
    <button type="button" class="quiet add-picture" disabled=${busy} onClick=${() => chosen.current.click()} aria-label=${say("desk-picture-add-to", { text: label ?? name })}>${say(label ? "desk-picture-add" : "desk-picture")}</button>`;
  return label ? html`<div class="text"><label>${label}${typed}</label><div class="below">${add}${hint && html`<small class="quiet">${hint}</small>`}</div></div>` : html`${typed}${add}`;
};
const Text = ({ label, value, change, rows = 3, hint }) => html`<${Area} label=${label} value=${value} change=${change} rows=${rows} hint=${hint}/>`;

const Pictures = ({ one, shelf, describe }) => html`<fieldset class="choices pictures"><legend>${say("desk-pictures")}</legend>${marked(one).filter((n) => shelf[n - 1]).map((n) => {
  const image = imageOf(shelf[n - 1]);
  return html`<div class="choice" key=${n}><img src=${image.getAttribute("src")} alt=""/><code>${say("desk-picture-mark", { number: n })}</code><label>${say("desk-picture-said")}<input value=${image.getAttribute("alt")} maxlength="200" onInput=${(e) => describe(n, e.target.value)}/></label></div>`;
})}</fieldset>`;

const retyped = (one, type) => {
  const next = { ...one, type, key: type === "judge" ? one.key.filter((k) => "TF".includes(k)) : one.key.filter((k) => LETTERS.includes(k)) };
  if (["single", "multiple"].includes(type) && !next.options.length) next.options = ["", "", "", ""];
  if (["single"].includes(type)) next.key = next.key.slice(0, 1);
  if (type === "case") { next.key = []; next.parts = next.parts?.length ? next.parts : [full({ options: ["", "", "", ""] })]; }
  return next;
};

const Choices = ({ one, set, name }) => {
  const many = one.type === "multiple";
  const mark = (letter) => set({ ...one, key: many ? (one.key.includes(letter) ? one.key.filter((k) => k !== letter) : [...one.key, letter].sort()) : [letter] });
  const drop = (i) => {
    const kept = one.key.filter((k) => k !== LETTERS[i]).map((k) => (LETTERS.indexOf(k) > i ? LETTERS[LETTERS.indexOf(k) - 1] : k));
    set({ ...one, options: one.options.filter((_, k) => k !== i), key: kept });
  };
  return html`<fieldset class="choices"><legend>${say(many ? "desk-options-many" : "desk-options-one")}</legend>
    ${one.options.map((text, i) => html`<div class="choice" key=${i}><label class="mark-key"><input type=${many ? "checkbox" : "radio"} name=${`key-${name}`} checked=${one.key.includes(LETTERS[i])} onChange=${() => mark(LETTERS[i])} aria-label=${say("desk-right-one", { label: LETTERS[i] })}/><kbd>${LETTERS[i]}</kbd></label>
      <${Area} rows="1" name=${say("desk-option-of", { label: LETTERS[i] })} value=${text} change=${(next) => set({ ...one, options: one.options.map((t, k) => (k === i ? next : t)) })}/>
      <button type="button" class="plain" disabled=${one.options.length <= 2} onClick=${() => drop(i)} aria-label=${say("desk-option-drop", { label: LETTERS[i] })}>×</button></div>`)}
    <button type="button" disabled=${one.options.length >= 26} onClick=${() => set({ ...one, options: [...one.options, ""] })}>${say("desk-option-add")}</button></fieldset>`;
};

const Judge = ({ one, set, name }) => html`<fieldset class="choices"><legend>${say("desk-field-key")}</legend>${["T", "F"].map((k) => html`<label class="check" key=${k}><input type="radio" name=${`judge-${name}`} checked=${one.key.includes(k)} onChange=${() => set({ ...one, key: [k] })}/> ${say(k === "T" ? "desk-true" : "desk-false")}</label>`)}</fieldset>`;

const Blanks = ({ one, set }) => {
  const count = blanks(one.stem);
  const put = (i, text) => { const accepted = Array.from({ length: Math.max(count, i + 1) }, (_, k) => one.accepted[k] ?? []); accepted[i] = text.split("/"); set({ ...one, accepted }); };
  return html`<fieldset class="choices"><legend>${say("desk-accepted")}</legend>${count === 0 && html`<p class="quiet">${say("desk-blank-how")}</p>`}
    ${Array.from({ length: count }, (_, i) => html`<label key=${i}>${say("desk-blank", { number: i + 1 })}<input value=${(one.accepted[i] ?? []).join("/")} onInput=${(e) => put(i, e.target.value)} spellcheck=${false}/></label>`)}
    <button type="button" onClick=${() => set({ ...one, stem: `${one.stem}[[${count + 1}]]` })}>${say("desk-blank-add")}</button></fieldset>`;
};

const Short = ({ one, set }) => html`<${Text} label=${say("desk-field-model")} value=${one.model} change=${(model) => set({ ...one, model })}/>
  <fieldset class="choices"><legend>${say("desk-field-rubric")}</legend>${one.rubric.map((r, i) => html`<div class="choice" key=${i}><textarea rows="1" aria-label=${say("desk-field-rubric")} value=${r.text} onInput=${(e) => set({ ...one, rubric: one.rubric.map((x, k) => (k === i ? { ...x, text: e.target.value } : x)) })}></textarea>
    <input class="score" inputmode="decimal" aria-label=${say("desk-score")} value=${r.score} onInput=${(e) => set({ ...one, rubric: one.rubric.map((x, k) => (k === i ? { ...x, score: e.target.value } : x)) })}/>
    <button type="button" class="plain" aria-label=${say("desk-drop")} onClick=${() => set({ ...one, rubric: one.rubric.filter((_, k) => k !== i) })}>×</button></div>`)}
    <button type="button" onClick=${() => set({ ...one, rubric: [...one.rubric, { text: "", score: 1 }] })}>${say("desk-rubric-add")}</button></fieldset>`;

const Fields = ({ one, set, name, types }) => html`
  <div class="filter"><label>${say("desk-type")}<select value=${one.type} onChange=${(e) => set(retyped(one, e.target.value))}>${types.map((t) => html`<option value=${t} key=${t}>${say(`desk-type-${t}`)}</option>`)}</select></label>
    <label>${say("desk-score")}<input inputmode="decimal" value=${one.score} onInput=${(e) => set({ ...one, score: e.target.value })}/></label>
    ${["multiple", "fill"].includes(one.type) && html`<label>${say("desk-field-policy")}<select value=${one.policy ?? ""} onChange=${(e) => set({ ...one, policy: e.target.value || null })}><option value="">${say("desk-policy-blueprint")}</option><option value="exact">${say("desk-policy-exact")}</option><option value="partial">${say("desk-policy-partial")}</option></select></label>`}</div>
  <${Text} label=${say(one.type === "case" ? "desk-material" : "desk-stem")} rows=${5} value=${one.stem} change=${(stem) => set({ ...one, stem })} hint=${say(one.type === "fill" ? "desk-blank-how" : "desk-markup-how")}/>
  ${["single", "multiple"].includes(one.type) && html`<${Choices} one=${one} set=${set} name=${name}/>`}
  ${one.type === "judge" && html`<${Judge} one=${one} set=${set} name=${name}/>`}
  ${one.type === "fill" && html`<${Blanks} one=${one} set=${set}/>`}
  ${one.type === "short" && html`<${Short} one=${one} set=${set}/>`}
  <${Text} label=${say("desk-field-explanation")} rows=${2} value=${one.explanation} change=${(explanation) => set({ ...one, explanation })}/>`;

const Parts = ({ one, set }) => html`${one.parts.map((part, i) => html`<fieldset class="part" key=${i}><legend>${say("desk-part", { part: i + 1 })}</legend>
  <${Fields} one=${part} name=${`part-${i}`} types=${TYPES.slice(0, 5)} set=${(next) => set({ ...one, parts: one.parts.map((p, k) => (k === i ? next : p)) })}/>
  <button type="button" disabled=${one.parts.length <= 1} onClick=${() => set({ ...one, parts: one.parts.filter((_, k) => k !== i) })}>${say("desk-part-drop")}</button></fieldset>`)}
  <button type="button" disabled=${one.parts.length >= 20} onClick=${() => set({ ...one, parts: [...one.parts, full({ options: ["", "", "", ""] })] })}>${say("desk-part-add")}</button>`;

// The preview may be tried out; what is chosen in it goes nowhere.
const Preview = ({ view, failed }) => {
  const [values, setValues] = useState({});
  const entries = view.entries.map(whole);
  return html`<section class="panel preview" aria-label=${say("desk-preview")}><h2>${say("desk-preview")}</h2>
    ${failed ? html`<p class="notice bad" role="status">${failed}</p>` : view.fault ? html`<p class="notice warn" role="status">${view.fault}</p>` : html`<p class="notice ok" role="status">${say("desk-whole")}</p>`}
    ${entries.map((item) => html`<article class="card" key=${`${item.number}/${item.type}/${item.options.length}/${item.blanks}`}>${item.part === 1 && html`<${Material} first=${item} item=${item} say=${say}/>`}
      <div class="no"><h2>${say("question-number", { number: item.number })}</h2><span class="chip">${say(`type-${item.type}`)}</span><span class="chip">${say("points", { score: item.score })}</span></div>
      <${Question} item=${item} value=${values[item.number] ?? []} say=${say} live=${true} answer=${(value) => setValues((v) => ({ ...v, [item.number]: value }))}/></article>`)}</section>`;
};

const Editor = () => {
  const shelf = useRef([]);
  const [one, setOne] = useState(() => folded({ label: "", point: "", difficulty: 0.6, ...full(given.content), parts: (given.content.parts ?? []).map(full) }, shelf.current));
  const [taking, setTaking] = useState(false), [pictureRefused, setPictureRefused] = useState("");
  const [view, setView] = useState({ entries: [], fault: null });
  const [failed, setFailed] = useState(""), [busy, setBusy] = useState(false), [refused, setRefused] = useState("");
  const touched = useRef(false);
  const set = (next) => { touched.current = true; setOne(next); };
  const typed = () => body(unfolded(one, shelf.current));
  const take = async (file) => {
    setTaking(true); setPictureRefused("");
    const form = new FormData();
    form.append("file", file);
    try {
      return say("desk-picture-mark", { number: shelf.current.push((await send("/api/desk/pictures", form)).html) });
    } catch (error) { setPictureRefused(error.message || say("desk-no-answer")); return null; } finally { setTaking(false); }
  };
  const describe = (number, alt) => { shelf.current[number - 1] = described(shelf.current[number - 1], alt); set({ ...one }); };
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => ask("/api/desk/preview", typed(), stop.signal).then((v) => { setView(v); setFailed(""); }, (error) => { if (error.name !== "AbortError") setFailed(error.message || say("desk-no-answer")); }), view.entries.length ? PREVIEW_AFTER_MS : 0);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [one]);
  useEffect(() => {
    const leave = (event) => { if (touched.current) event.preventDefault(); };
    addEventListener("beforeunload", leave);
    return () => removeEventListener("beforeunload", leave);
  }, []);
  const store = async (event) => {
    event.preventDefault();
    setBusy(true); setRefused("");
    try {
      const made = await ask("/api/desk/items", { content: typed(), item: given.item, version: given.version });
      touched.current = false;
      location.assign(`/desk/items/${made.item}`);
    } catch (error) { setRefused(error.message || say("desk-no-answer")); setBusy(false); }
  };
  return html`<${Shelf.Provider} value=${{ take, busy: taking }}><div class="two even"><form class="panel fields wide" onSubmit=${store}>
    <div class="filter"><label>${say("desk-label")}<input value=${one.label} maxlength="100" onInput=${(e) => set({ ...one, label: e.target.value })}/></label>
      <label>${say("desk-point")}<input list="points" value=${one.point} maxlength="200" required onInput=${(e) => set({ ...one, point: e.target.value })}/></label>
      <label>${say("desk-difficulty")}<input inputmode="decimal" value=${one.difficulty} onInput=${(e) => set({ ...one, difficulty: e.target.value })}/></label></div>
    <${Fields} one=${one} set=${set} name="item" types=${TYPES}/>
    ${one.type === "case" && html`<${Parts} one=${one} set=${set}/>`}
    ${pictureRefused && html`<p class="notice bad" role="alert">${pictureRefused}</p>`}
    ${marked(one).length > 0 && html`<${Pictures} one=${one} shelf=${shelf.current} describe=${describe}/>`}
    ${refused && html`<p class="notice bad" role="alert">${refused}</p>`}
    <p class="row"><button class="primary" disabled=${busy || Boolean(view.fault)}>${say("desk-keep")}</button><span class="quiet">${say("desk-keep-lead")}</span></p>
  </form><${Preview} view=${view} failed=${failed}/></div></${Shelf.Provider}>`;
};

render(h(Editor), root);
