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
  stage.style.setProperty("--shape", `${before.width} / ${before.height}`);
  stage.style.maxWidth = `${Math.max(760, before.naturalWidth || before.width)}px`;
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
  scene.querySelector(".slider").append(stage, choices);
}
