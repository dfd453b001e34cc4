// All visible texts with less contrast than WCAG AA asks for, 4.5 to 1: what they say, and their contrast.
(() => {
  const numbers = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, at) => value * a + below[at] * (1 - a));
  const light = (rgb) => rgb.map((value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const style = getComputedStyle(element);
    const box = element.closest?.("svg .node")?.querySelector(".body");
    const colour = numbers(element.matches("svg .node") && getComputedStyle(box).fill !== "none"
      ? getComputedStyle(box).fill : style.backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, behind(element.parentElement));
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("title, option, .unseen, .skip")) continue;
    const style = getComputedStyle(element);
    const below = behind(element);
    const colour = over(numbers(element.closest("svg") ? style.fill : style.color), below);
    const [bright, dark] = [light(colour), light(below)].sort((one, other) => other - one);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < 4.5) faint.push(`${node.data.trim().slice(0, 40)} (${element.className.baseVal ?? element.className}): ${contrast.toFixed(2)}`);
  }
  return [...new Set(faint)];
})()
