/// <reference types="vite/client" />
import { render } from "preact";
import "./style.css";
import { applyTheme } from "./theme";
import { Page } from "./view/page";

applyTheme();
render(<Page />, document.getElementById("app")!);
