// Times, names and signs as the board shows them. Asia/Shanghai, 24 hours; signs are drawn, never taken from a font.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);

const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour12: false, ...options });
const MINUTE = format({ hour: "2-digit", minute: "2-digit" }), SECOND = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = { zh: new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", year: "numeric", month: "long", day: "numeric" }), en: new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", year: "numeric", month: "short", day: "numeric" }) };
const at = (value) => (typeof value === "number" ? value : Date.parse(value));
export const minuteText = (value) => MINUTE.format(at(value));
export const secondText = (value) => SECOND.format(at(value));
export const dayText = (value, language) => DAY[language].format(at(value));
// The minute, with the day before it where that is another than the exam's.
export const whenText = (value, day, language) => (dayText(value, language) === dayText(day, language) ? "" : `${dayText(value, language)} `) + minuteText(value);
// A continuation is no step of the rules: its name is the board's.
export const stepTitle = (step, say, language) => step.code.startsWith("continuation-") ? say("board-step-continuation") : language === "en" ? step.title_en : step.title;

export const lasting = (ms, say) => {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return say("board-seconds", { seconds: s });
  if (s < 600) return s % 60 ? say("board-minutes-seconds", { minutes: Math.floor(s / 60), seconds: s % 60 }) : say("board-minutes", { minutes: s / 60 });
  if (s < 7200) return say("board-minutes", { minutes: Math.floor(s / 60) });
  return say("board-hours", { hours: Math.floor(s / 3600) });
};

// A wall is read by everyone who passes: seats show the last character of a name only, the seat's own panel all of it.
export const masked = (name) => `*${[...name].at(-1) ?? ""}`;
export const grouped = (text) => (text.length < 8 ? text : text.replace(/(.{4})(?=.)/g, "$1 "));

const Svg = ({ children }) => html`<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${children}</svg>`;
const SIGNS = {
  done: html`<${Svg}><path d="m3 8.5 3.2 3.4L13 4.5"/></${Svg}>`,
  absent: html`<${Svg}><path d="M3.5 8h9"/></${Svg}>`,
  offline: html`<${Svg}><path d="M1.5 8h4M10.5 8h4M6.5 4.5l3 7M9.5 4.5l-3 7"/></${Svg}>`,
  alert: html`<${Svg}><path d="M8 2.5v6.8M8 12.9v.1"/></${Svg}>`,
  lead: html`<${Svg}><path d="M8 2.5v6.8M8 12.9v.1"/></${Svg}>`,
  call: html`<${Svg}><path d="M4 14V7.5M4 8V4.2a1.1 1.1 0 0 1 2.2 0V7m0-.5V3a1.1 1.1 0 0 1 2.2 0v3.5m0 0V3.8a1.1 1.1 0 0 1 2.2 0V8m0-1.6a1.1 1.1 0 0 1 2.2 0V10c0 2.5-1.5 4-3 4"/></${Svg}>`,
  paused: html`<${Svg}><path d="M5.5 3.5v9M10.5 3.5v9"/></${Svg}>`,
  voided: html`<${Svg}><path d="M4 4l8 8M12 4l-8 8"/></${Svg}>`,
  halted: html`<${Svg}><path d="M5 2.5h6l2.5 2.5v6L11 13.5H5L2.5 11V5z"/></${Svg}>`,
  away: html`<${Svg}><path d="M9.5 2.5H3.5v11h6M7 8h6.5M11 5.5 13.5 8 11 10.5"/></${Svg}>`,
  checked_in: html`<${Svg}><circle cx="8" cy="8" r="2.6" fill="currentColor"/></${Svg}>`,
  waiting: html`<${Svg}><circle cx="8" cy="8" r="3.6"/></${Svg}>`,
  live: html`<${Svg}><circle cx="8" cy="8" r="4.6" fill="currentColor" stroke="none"/></${Svg}>`,
  stale: html`<${Svg}><circle cx="8" cy="8" r="5.6"/><path d="M8 5v3.2l2 1.3"/></${Svg}>`,
};
export const Sign = ({ of }) => SIGNS[of] ?? null;

// A refusal of the server in its own words, with the article it rests on.
export const Problem = ({ problem, say }) => problem && html`<p class="problem" role="alert">${problem.title}${problem.article && html` <small>${say("article")} ${problem.article}</small>`}</p>`;
