// Adds a before/after slider to every scene, from the pictures that are on the page already. Without scripts the strip of pictures stays.
for (const scene of document.querySelectorAll(".scene")) {
  const shots = new Map([...scene.querySelectorAll("[data-shot]")].map((f) => [f.dataset.shot, f.querySelector(".whole")]));
  const before = shots.get("blurry");
  const names = [...shots.keys()].filter((name) => name !== "blurry");
  if (!before || !names.length) continue;

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const under = element("img", { alt: "", className: "under" });
  const over = element("img", { alt: before.alt, src: before.src, className: "over" });
  const label = element("span", { className: "label right" });
  const stage = element("div", { className: "stage" }, under, over, element("span", { className: "handle" }),
    element("span", { className: "label left", textContent: "blurry" }), label);
  const [width, height] = ["width", "height"].map((side) => Number(before.getAttribute(side)));
  const ratio = width / height;
  stage.style.setProperty("--shape", `${width} / ${height}`);
  stage.style.maxWidth = `min(${Math.max(760, width)}px, ${78 * ratio}vh)`;
  const range = element("input", { type: "range", min: 0, max: 100, value: 50 });
  const cut = () => stage.style.setProperty("--cut", `${range.value}%`);
  range.addEventListener("input", cut);
  stage.append(range);

  const show = (name) => {
    under.src = shots.get(name).src;
    under.alt = shots.get(name).alt;
    label.textContent = name;
    range.setAttribute("aria-label", `Share of the blurry input shown over ${name}`);
  };
  const group = `right-${[...document.querySelectorAll(".scene")].indexOf(scene)}`;
  const choices = element("fieldset", {}, element("legend", { textContent: "Compare with" }));
  for (const name of names) {
    const radio = element("input", { type: "radio", name: group, value: name, checked: name === scene.dataset.preferred });
    radio.addEventListener("change", () => show(name));
    choices.append(element("label", {}, radio, element("span", { textContent: name })));
  }
  show(names.includes(scene.dataset.preferred) ? scene.dataset.preferred : names[0]);
  cut();
  // The magnified squares: every one shows the same patch of its own whole picture.
  const [across, down, share] = scene.dataset.patch.split(" ").map(Number);
  const patch = { x: across, y: down, zoom: Math.max(1, 1 / share) };
  const frame = element("span", { className: "patch" });
  stage.append(frame);
  const windows = [...scene.querySelectorAll(".window")].map((box) => {
    const whole = box.parentElement.querySelector(".whole");
    const detail = box.querySelector(".detail");
    const picture = element("div", { className: "view" }, element("img", { src: whole.src, alt: whole.alt }));
    // Where the page's pictures are smaller than the test's, the patch it came with lies over its place, at full resolution.
    if ("shrunk" in scene.dataset) {
      picture.style.setProperty("--wide", `${100 * share}%`);
      picture.style.setProperty("--left", `${100 * (across - share / 2)}%`);
      picture.style.setProperty("--top", `${100 * (down - share * ratio / 2)}%`);
      picture.append(detail);
    } else detail.remove();
    box.append(picture);
    box.classList.add("live");
    return { box, picture, whole };
  });
  const clamp = (value, half) => half >= .5 ? .5 : Math.min(1 - half, Math.max(half, value));
  const sliders = ["across", "down", "zoom"].map((name) => element("input", {
    type: "range", className: name, min: name === "zoom" ? 1 : 0, max: name === "zoom" ? 16 : 100, step: name === "zoom" ? .25 : 1,
  }));
  const place = (x, y, zoom = patch.zoom) => {
    const wide = 1 / zoom, high = wide * ratio;
    Object.assign(patch, { x: clamp(x, wide / 2), y: clamp(y, high / 2), zoom });
    for (const { picture } of windows) {
      picture.style.width = `${100 * zoom}%`;
      picture.style.transform = `translate(${-100 * (patch.x - wide / 2)}%, ${-100 * (patch.y - high / 2)}%)`;
    }
    Object.assign(frame.style, { left: `${100 * (patch.x - wide / 2)}%`, top: `${100 * Math.max(0, patch.y - high / 2)}%`,
      width: `${100 * wide}%`, height: `${100 * Math.min(1, high)}%` });
    [sliders[0].value, sliders[1].value, sliders[2].value] = [100 * patch.x, 100 * patch.y, zoom];
  };
  for (const slider of sliders) slider.addEventListener("input", () => {
    const [x, y, zoom] = sliders.map((one) => Number(one.value));
    if (slider === sliders[2]) place(patch.x, patch.y, zoom);
    else place(slider === sliders[0] ? x / 100 : patch.x, slider === sliders[1] ? y / 100 : patch.y);
  });
  for (const { box, whole } of windows) {
    box.addEventListener("pointerdown", (event) => { box.setPointerCapture(event.pointerId); event.preventDefault(); });
    box.addEventListener("pointermove", (event) => {
      if (!box.hasPointerCapture(event.pointerId)) return;
      const side = box.clientWidth * patch.zoom;
      place(patch.x - event.movementX / side, patch.y - event.movementY / (side / ratio));
    });
    whole.addEventListener("click", (event) => place(event.offsetX / whole.clientWidth, event.offsetY / whole.clientHeight));
  }
  const patches = element("fieldset", { className: "patches" }, element("legend", { textContent: "Magnified square" }));
  ["Across", "Down", "Zoom"].forEach((text, i) => patches.append(element("label", {}, text, sliders[i])));
  place(patch.x, patch.y);
  scene.querySelector(".slider").append(stage, choices, patches);
}

// A slider over the pictures that one model drew of the same frames under one noise z after another.
for (const walk of document.querySelectorAll(".walk")) {
  const frames = [...walk.querySelectorAll("figure")];
  const range = Object.assign(document.createElement("input"), { type: "range", min: 0, max: frames.length - 1, value: 0 });
  range.setAttribute("aria-label", walk.dataset.label);
  const show = () => {
    frames.forEach((figure, i) => figure.classList.toggle("shown", i === Number(range.value)));
    range.setAttribute("aria-valuetext", frames[range.value].querySelector("figcaption").textContent);
  };
  range.addEventListener("input", show);
  walk.classList.add("live");
  walk.append(range);
  show();
}
