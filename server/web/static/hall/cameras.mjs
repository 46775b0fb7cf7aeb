// Live pictures are asked for again every three seconds while the page is looked at.
const AGAIN_MS = 3000;

for (const image of document.querySelectorAll("img.live")) {
  const address = image.getAttribute("src");
  const again = () => {
    if (!document.hidden) image.setAttribute("src", `${address}?t=${Math.floor(performance.now())}`);
    else setTimeout(again, AGAIN_MS);
  };
  image.addEventListener("load", () => setTimeout(again, AGAIN_MS));
  image.addEventListener("error", () => setTimeout(again, 4 * AGAIN_MS));
}
