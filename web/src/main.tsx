import "./styles/base.css";
import "./styles/controls.css";
import "./styles/list.css";
import { render } from "preact";
import { App } from "./app";
import { startClock } from "./clock";
import { startLook } from "./prefs";
import { startRouter } from "./router";

const root = document.getElementById("app");
if (root !== null) {
  startLook();
  startClock();
  startRouter();
  render(<App />, root);
}
