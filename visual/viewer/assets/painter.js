// Draws a relief with WebGL: the surface, the flat map under it, hatching where nothing is known, and the box of lines.
// Leaves out text and the path, which lie above it on a plain canvas (overlay.js).

const KINDS = { surface: 0, floor: 1, unknown: 2, line: 3, node: 4, lid: 5 };

class Painter {
  /** Raises an error where the browser has no WebGL 2. */
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: true, premultipliedAlpha: true });
    if (!this.gl) throw new Error("This browser offers no WebGL 2, which the picture is drawn with.");
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.prepare());
    this.prepare();
  }

  prepare() {
    const gl = this.gl;
    this.program = link(gl, document.getElementById("vertex").text, document.getElementById("fragment").text);
    gl.useProgram(this.program);
    this.at = new Proxy({}, { get: (_, name) => gl.getUniformLocation(this.program, name) });
    this.buffers = { position: gl.createBuffer(), level: gl.createBuffer(), normal: gl.createBuffer() };
    this.triangles = { open: gl.createBuffer(), lid: gl.createBuffer(), unknown: gl.createBuffer() };
    [this.lines, this.marks] = [gl.createBuffer(), gl.createBuffer()];
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.relief = null;
  }

  /** Hand a relief to the graphics card; `colours` are 256 RGB triples. */
  load(relief, colours) {
    const gl = this.gl;
    const mesh = new Mesh(relief);
    fill(gl, gl.ARRAY_BUFFER, this.buffers.position, Float32Array.from(mesh.position.flat()));
    fill(gl, gl.ARRAY_BUFFER, this.buffers.level, Float32Array.from(mesh.level));
    fill(gl, gl.ARRAY_BUFFER, this.buffers.normal, Float32Array.from(mesh.normal.flat()));
    for (const [name, list] of Object.entries(mesh.triangles)) {
      fill(gl, gl.ELEMENT_ARRAY_BUFFER, this.triangles[name], Uint32Array.from(list));
    }
    this.counts = Object.fromEntries(Object.entries(mesh.triangles).map(([name, list]) => [name, list.length]));
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, colours);
    this.relief = relief;
  }

  /** `look`: ticks (levels), over, ink, lineColour, nodeColour, box (points in pairs), measured (bytes, or null for no nodes). */
  draw(lens, look) {
    const gl = this.gl;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix4fv(this.at.camera, false, lens.matrix());
    gl.uniform1f(this.at.floorHeight, FLOOR);
    gl.uniform1fv(this.at.ticks, Float32Array.from({ length: 24 }, (_, i) => look.ticks[i] ?? 9));
    gl.uniform1i(this.at.tickCount, Math.min(24, look.ticks.length));
    gl.uniform3fv(this.at.over, look.over);
    gl.uniform3fv(this.at.ink, look.ink);
    for (const part of ["open", "lid"]) this.mesh("floor", part, 1);
    this.mesh("unknown", "unknown", 1);
    this.box(look.box, look.lineColour);
    this.mesh("surface", "open", 0);
    this.mesh("unknown", "unknown", 0);
    gl.depthMask(false); // one looks through the lid
    this.mesh("lid", "lid", 0);
    gl.depthMask(true);
    if (look.measured) this.nodes(look.measured, look.nodeColour);
  }

  /** One part of the mesh, where it stands (flatten 0) or on the floor (1). */
  mesh(kind, part, flatten) {
    const gl = this.gl;
    this.use(kind, flatten);
    for (const [name, size] of [["position", 3], ["level", 1], ["normal", 3]]) this.feed(name, this.buffers[name], size);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.triangles[part]);
    gl.drawElements(gl.TRIANGLES, this.counts[part], gl.UNSIGNED_INT, 0);
  }

  box(points, colour) {
    const gl = this.gl;
    this.use("line", 0);
    gl.uniform4fv(this.at.plain, colour);
    fill(gl, gl.ARRAY_BUFFER, this.lines, Float32Array.from(points.flat()));
    this.feed("position", this.lines, 3);
    gl.drawArrays(gl.LINES, 0, points.length);
  }

  nodes(measured, colour) {
    const gl = this.gl;
    this.use("node", 0);
    gl.uniform4fv(this.at.plain, colour);
    gl.uniform1f(this.at.pointSize, 3.5 * (window.devicePixelRatio || 1));
    const kept = [...measured.keys()].filter((i) => measured[i] && !Number.isNaN(this.relief.levels[i]));
    fill(gl, gl.ELEMENT_ARRAY_BUFFER, this.marks, new Uint32Array(kept));
    this.feed("position", this.buffers.position, 3);
    gl.drawElements(gl.POINTS, kept.length, gl.UNSIGNED_INT, 0);
  }

  use(kind, flatten) {
    this.gl.uniform1i(this.at.kind, KINDS[kind]);
    this.gl.uniform1f(this.at.flatten, flatten);
    for (const name of ["position", "level", "normal"]) {
      const place = this.gl.getAttribLocation(this.program, name);
      this.gl.disableVertexAttribArray(place);
    }
  }

  feed(name, buffer, size) {
    const gl = this.gl;
    const place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
  }
}

function fill(gl, target, buffer, data) {
  gl.bindBuffer(target, buffer);
  gl.bufferData(target, data, gl.DYNAMIC_DRAW);
}

function link(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source.trim());
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return program;
}
