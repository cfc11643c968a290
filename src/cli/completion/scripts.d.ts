// The scripts are imported as text: `import script from "./fcgivisor.bash" with { type: "text" }`.

declare module "*.bash" {
  const text: string;
  export default text;
}
declare module "*.zsh" {
  const text: string;
  export default text;
}
declare module "*.fish" {
  const text: string;
  export default text;
}
