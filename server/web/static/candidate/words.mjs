// Times and signs as the candidate reads them. Asia/Shanghai, 24 hours; signs are drawn, never taken from a font.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);

const MINUTE = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", hour12: false });
export const clockText = (iso) => MINUTE.format(new Date(iso));

const two = (n) => String(n).padStart(2, "0");
const seconds = (ms) => Math.max(0, Math.ceil(ms / 1000));
export const span = (ms) => { const s = seconds(ms); return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`; };
export const wait = (ms, say) => {
  const s = seconds(ms);
  return s >= 60 ? say("minutes-seconds", { minutes: Math.floor(s / 60), seconds: s % 60 }) : say("only-seconds", { seconds: s });
};

// 2026 0314 0017: groups of four are read aloud and compared more easily.
export const grouped = (text) => (text.length < 8 ? text : text.replace(/(.{4})(?=.)/g, "$1 "));

const Svg = ({ children, size = 18 }) =>
  html`<svg viewBox="0 0 20 20" width=${size} height=${size} fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${children}</svg>`;
export const Tick = () => html`<${Svg}><circle cx="10" cy="10" r="8"/><path d="m6.2 10.2 2.6 2.7 5-5.6"/></${Svg}>`;
export const Bang = () => html`<${Svg}><path d="M10 2.5 18.2 17H1.8Z"/><path d="M10 8v4.2M10 14.6v.1"/></${Svg}>`;
export const Cut = () => html`<${Svg}><path d="M3 10h4M13 10h4M8.5 6.5l3 7M11.5 6.5l-3 7"/></${Svg}>`;
export const Dots = () => html`<${Svg}><circle cx="10" cy="10" r="8"/><path d="M6.5 10v.1M10 10v.1M13.5 10v.1"/></${Svg}>`;
export const Left = () => html`<${Svg} size="16"><path d="M16 10H4M9 5l-5 5 5 5"/></${Svg}>`;
export const Right = () => html`<${Svg} size="16"><path d="M4 10h12M11 5l5 5-5 5"/></${Svg}>`;
export const Cross = () => html`<${Svg}><path d="M5 5l10 10M15 5 5 15"/></${Svg}>`;
export const Check = () => html`<${Svg}><path d="m4 10.5 4 4.5 8-10"/></${Svg}>`;

// The words of a refusal: the page's own text, else the server's sentence, and the article it rests on.
export const Problem = ({ refusal, say }) => {
  if (!refusal) return null;
  const own = say(refusal.code, refusal.facts);
  const text = own === refusal.code ? refusal.text ?? say("refused-other", { code: refusal.code }) : own;
  return html`<p class="problem" role="alert"><${Bang}/><span>${text}${refusal.article && html` <small>${say("article")} ${refusal.article}</small>`}</span></p>`;
};
