// The parts that every act over the board is made of: a box that keeps the focus, a form that shows why not.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem, html } from "./words.mjs";

export const Box = ({ act, say, title, sub, wide, children }) => {
  const box = useRef(null);
  // With the box itself: what is typed in the moment it appears must not go to the board beneath.
  useLayoutEffect(() => {
    const shown = box.current, before = document.activeElement;
    shown.showModal();
    return () => { shown.close(); before?.focus?.(); };       // closed first: beneath an open box nothing takes the focus
  }, []);
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onClose=${() => box.current && act.close()} onCancel=${() => act.close()}>
    <div class="head"><h2 id="dialog-title">${title}${sub && html`<small>${sub}</small>`}</h2><button class="plain" onClick=${() => act.close()}>${say("board-close")}</button></div>${children}</dialog>`;
};

// `send` gives null when the act was done, else the server's refusal, which stays on the screen beside what was typed.
export const Form = ({ say, send, done, label, ready, grave, children }) => {
  const [problem, setProblem] = useState(null), [busy, setBusy] = useState(false), here = useRef(true);
  useLayoutEffect(() => () => { here.current = false; }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    const refusal = await send();
    if (!here.current) return;       // put away meanwhile: what is open now is not closed by an older act's answer
    setBusy(false);
    setProblem(refusal);
    if (!refusal) done();
  };
  return html`<form class="form" onSubmit=${submit}>${children}<${Problem} problem=${problem} say=${say}/>
    <button class=${grave ? "primary grave" : "primary"} disabled=${busy || !ready}>${busy ? say("board-busy") : label}</button></form>`;
};

export const Reason = ({ say, value, set, code }) => html`<label>${say(code)}<textarea rows="2" maxlength="300" required value=${value} onInput=${(e) => set(e.target.value)}></textarea></label>`;
