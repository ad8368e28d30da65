import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/list.css";
import "./styles/metric.css";
import { render } from "preact";
import { App } from "./app";
import { startClock } from "./clock";
import { startRouter } from "./router";

const root = document.getElementById("app");
if (root !== null) {
  startClock();
  startRouter();
  render(<App />, root);
}
