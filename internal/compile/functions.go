package compile

func (c *compiler) functionsStage() {}
