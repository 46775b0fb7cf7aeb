// Gives the candidate's page from this machine's own store when its server does not answer. The seat's key and the
// journal belong to this address: a reload or a power cut while the server is gone must not take them out of reach.
// The page itself fills the store (main.mjs); whenever the server answers, its answer is taken.
const STORE = "gongyuan-page", WAIT_MS = 5000, GONE_MS = 30000;
let goneUntil = 0;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { request } = event, { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (pathname === "/exam" || pathname === "/exam/texts" || pathname.startsWith("/static/")) event.respondWith(answer(request));
});

const kept = async (request) => (await caches.open(STORE)).match(request, { ignoreVary: true, ignoreSearch: request.mode === "navigate" });

const answer = async (request) => {
  const fetching = fetch(request), late = new Promise((resolve) => setTimeout(resolve, performance.now() < goneUntil ? 0 : WAIT_MS));
  const came = await Promise.race([fetching.catch(() => null), late]);
  if (came) { goneUntil = 0; return came; }
  goneUntil = performance.now() + GONE_MS;
  return (await kept(request)) ?? fetching;
};
