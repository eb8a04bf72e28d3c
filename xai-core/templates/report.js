// The gallery: menus choose image, method and the levels of each axis; the slider fades from image to map.
(() => {
  "use strict";
  const source = document.getElementById("gallery-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const gallery = document.querySelector(".gallery");
  const find = (selector) => gallery.querySelector(selector);
  const controls = find(".controls"), strip = find(".strip"), view = find(".view .stack");
  const slider = find(".slider input"), outlines = find(".outlines"), oneScale = find(".scale");

  const menu = (name, options) => {
    const label = document.createElement("label"), select = document.createElement("select");
    label.append(name, select);
    options.forEach((text, value) => select.add(new Option(text, value)));
    controls.append(label);
    select.addEventListener("change", show);
    return select;
  };
  const image = menu("image", data.images.map((one) => one.name));
  const method = menu("method", data.methods);
  const network = data.baselines.length ? menu("network", ["trained", ...data.baselines.map((one) => one.about)]) : null;
  const axes = data.axes.map(([name, levels, titles]) => {
    // Levels that have a heat map; a menu shows the title of a level, and its value is the level's name.
    const shown = levels.filter((level) => data.cells.some((cell) => cell.levels.includes(level)));
    const select = menu(name, shown.map((level) => titles[levels.indexOf(level)]));
    shown.forEach((level, at) => { select.options[at].value = level; });
    return select;
  });

  // The largest value of each method's maps, over all networks and images. Means have another unit than maps.
  const isMean = (image) => data.mean && image === data.images.length - 1;
  const largest = [false, true].map((means) => data.methods.map((_, method) => {
    const values = [...data.cells, ...data.baselines].flatMap((cell) => cell.maps.map((maps, image) => {
      const map = isMean(image) === means ? maps.concat(data.filters[image])[method] : null;
      return map ? map[2] : 0;
    }));
    return Math.max(0, ...values);
  }));

  // A map in the colours of its method's scale: each colour moves towards black, the middle of the palette.
  const place = new Map(data.colors.map((color, at) => [color.join(), at]));
  const middle = (data.colors.length - 1) / 2;
  const rescaled = async (map, most) => {
    const picture = new Image();
    picture.src = map[0];
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.width, picture.height];
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    const share = most > 0 ? map[2] / most : 0;
    for (let at = 0; at < pixels.data.length; at += 4) {
      const shade = place.get(pixels.data.slice(at, at + 3).join()) ?? middle;
      pixels.data.set(data.colors[Math.round(middle + (shade - middle) * share)], at);
    }
    context.putImageData(pixels, 0, 0);
    return canvas.toDataURL();
  };

  const fill = (stack, map, picture, method) => {
    stack.style.aspectRatio = `${picture.width} / ${picture.height}`;
    stack.querySelector(".image").src = picture.pixels;
    const heat = stack.querySelector(".heat");
    heat.hidden = !map;
    if (map) {
      heat.src = map[0];
      // What was chosen since then must stay.
      const most = largest[Number(isMean(Number(image.value)))][method];
      if (oneScale.checked) rescaled(map, most).then((colored) => { if (heat.src === map[0]) heat.src = colored; });
    }
    const svg = stack.querySelector("svg");
    svg.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
    svg.firstElementChild.setAttribute("d", picture.outline);
  };

  const fade = () => {
    // From the image alone over both to the map alone.
    const towards = slider.value / 100;
    gallery.querySelectorAll(".image").forEach((one) => { one.style.opacity = Math.min(1, 2 - 2 * towards); });
    gallery.querySelectorAll(".heat").forEach((one) => { one.style.opacity = Math.min(1, 2 * towards); });
    gallery.querySelectorAll(".outline").forEach((one) => { one.style.display = outlines.checked ? "" : "none"; });
  };

  const score = (map) => (map && map[1] !== null ? map[1] : "no score");

  function show() {
    const baseline = network && data.baselines[network.value - 1];
    axes.forEach((select) => { select.disabled = Boolean(baseline); });
    const chosen = baseline ? [baseline.about] : axes.map((select) => select.value);
    const cell = baseline || data.cells.find((one) => one.levels.every((level, at) => level === chosen[at]));
    // Filters, the last methods, know no network.
    const filters = data.filters[image.value];
    const none = () => data.methods.slice(filters.length).map(() => null);
    const maps = (cell ? cell.maps[image.value] : none()).concat(filters);
    const map = maps[method.value];
    // Networks of different data sets have different pictures of the same index.
    const own = cell && cell.pictures[image.value];
    const picture = data.pictures[own ?? data.images[image.value].picture];
    fill(view, map, picture, Number(method.value));
    const name = data.methods[method.value];
    view.setAttribute("aria-label", `${name}, ${data.images[image.value].name}, ${chosen.join(", ")}`);
    const missing = cell ? "This network's explanations of this image were not scored." : "There is no such network in this run.";
    find(".score").textContent = map ? `${name}: ${score(map)}` : missing;
    find(".about").textContent = cell ? cell.about : "";
    buttons.forEach(([button, stack, of], at) => {
      fill(stack, maps[at], picture, at);
      of.textContent = maps[at] ? score(maps[at]) : "–";
      button.setAttribute("aria-pressed", String(at === Number(method.value)));
    });
    fade();
  }

  const buttons = data.methods.map((name, at) => {
    const button = document.createElement("button"), stack = view.cloneNode(true);
    const title = document.createElement("span"), of = document.createElement("span");
    stack.removeAttribute("role");
    stack.removeAttribute("aria-label");
    button.type = "button";
    title.textContent = name;
    of.className = "of";
    button.append(stack, title, of);
    button.addEventListener("click", () => { method.value = at; show(); });
    strip.append(button);
    return [button, stack, of];
  });
  slider.addEventListener("input", fade);
  outlines.addEventListener("change", fade);
  oneScale.addEventListener("change", show);
  gallery.hidden = false;
  show();
})();
