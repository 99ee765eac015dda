/* global getComputedStyle, matchMedia, NodeFilter */
/* Runs in a page: the contrast of every text with what is behind it, by WCAG 2.2's formula, from the colours that were really computed. */
(() => {
  const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  /* Whatever form a colour is written in, as it looks on top of another one. */
  const over = (colour, under) => {
    paint.fillStyle = `rgb(${under.join()})`
    paint.fillRect(0, 0, 1, 1)
    paint.fillStyle = colour
    paint.fillRect(0, 0, 1, 1)
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3)
  }
  const luminance = colour => {
    const [red, green, blue] = colour.map(channel => channel / 255).map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (light + 0.05) / (dark + 0.05)
  }
  const behind = element => {
    const canvas = over(getComputedStyle(document.documentElement).backgroundColor, matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255])
    const chain = []
    for (let one = element; one !== null; one = one.parentElement) chain.unshift(getComputedStyle(one).backgroundColor)
    return chain.reduce((under, colour) => over(colour, under), canvas)
  }
  const found = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode
    if (data.trim() === '' || !parentElement.checkVisibility({ visibilityProperty: true })) continue
    const background = behind(parentElement)
    found.push({ text: data.trim(), ratio: ratio(over(getComputedStyle(parentElement).color, background), background) })
  }
  return found
})()
